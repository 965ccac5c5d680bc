"""The register of official accounts (kbr 5, kemerovo 5, nenets 2 and 3, kursky 5), out of the law in force."""

from __future__ import annotations

from pydantic import BaseModel

from regulations.directory import Directory


class AccountRow(BaseModel):
    """An account; `agency` None: the authority's own."""

    agency: str | None
    agency_name: str | None
    network: str
    url: str
    title: str


class Accounts(BaseModel):
    """`paragraph`: where the act asks for the register; `posts_a_week`: how many posts it recommends (nenets 5)."""

    authority: str
    regulation: str
    paragraph: str | None
    posts_a_week: int | None
    posts_paragraph: str | None
    items: list[AccountRow]
    without: list[str]
    """Agencies of which no account is known."""


def accounts(directory: Directory) -> Accounts:
    """The authority's own first, then by agency and network."""
    act = directory.act(directory.number)
    rows = [
        AccountRow(agency=agency.id, agency_name=agency.name, network=one.network, url=one.url, title=one.title)
        for agency in directory.agencies.values()
        for one in agency.accounts
    ]
    rows += [
        AccountRow(agency=None, agency_name=None, network=one.network, url=one.url, title=one.title)
        for one in directory.accounts
    ]
    rows.sort(key=lambda row: (row.agency or "", row.network, row.url))
    return Accounts(
        authority=directory.id,
        regulation=act.id,
        paragraph=act.registers.accounts,
        posts_a_week=act.registers.posts_a_week,
        posts_paragraph=act.registers.posts_paragraph,
        items=rows,
        without=sorted(agency.id for agency in directory.agencies.values() if not agency.accounts),
    )
