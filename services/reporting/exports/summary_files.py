"""The summary as the document that goes to its addressee: in XLSX all of it, in DOCX what the act asks it to tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.shared import Mm, Pt

from regulations.directory import Directory
from regulations.periods import Period
from services.reporting.exports import words
from services.reporting.exports.xlsx import Book, Sheet
from services.reporting.reports.figures import Slice
from services.reporting.reports.summary import Summary

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_SLICES = {
    "topic": "Тематика",
    "category": "Категории важности",
    "channel": "Каналы поступления",
    "location": "Местности",
}


def write_xlsx(path: Path, summary: Summary, directory: Directory, period: Period) -> None:
    """Every figure of the JSON, a sheet a part."""
    book = Book(path, directory.zone)
    for sheet in _sheets(summary, directory, period):
        book.sheet(sheet)
    book.close()


def write_docx(path: Path, summary: Summary, directory: Directory, period: Period) -> None:
    """A document to sign: heading, the parts that the act asks for, in tables."""
    document = Document()
    section = document.sections[0]
    section.orientation = WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin, section.right_margin = Mm(25), Mm(15)
    document.styles["Normal"].font.name = "Times New Roman"
    document.styles["Normal"].font.size = Pt(12)
    document.add_heading("Сводная информация", level=1)
    document.add_paragraph(f"о работе с сообщениями из открытых источников за {period.in_words()}. {summary.name}.")
    document.add_paragraph(f"Представляется: {summary.to} ({words.paragraph(summary.paragraph)}).")
    for sheet in _told(summary, directory, period):
        document.add_heading(sheet.title, level=2)
        _table(document, sheet, directory.zone)
    document.save(str(path))


def _told(summary: Summary, directory: Directory, period: Period) -> Iterator[Sheet]:
    """The parts that the act asks for, by what each of them tells; the headline always stands first."""
    yield _headline(summary, period)
    if "timeliness" in summary.tells:
        yield _terms(summary, directory)
    if "order" in summary.tells:
        yield _order(summary)
    if "quality" in summary.tells:
        yield _quality(summary)
        yield _agencies(summary, directory)
    if "dynamics" in summary.tells:
        yield _series(summary)
    if "topics" in summary.tells:
        yield _slice("topic", summary.structure["topic"])
    if "structure" in summary.tells:
        yield from (_slice(name, summary.structure[name]) for name in ("topic", "category", "channel"))


def _sheets(summary: Summary, directory: Directory, period: Period) -> Iterator[Sheet]:
    yield _headline(summary, period)
    yield _terms(summary, directory)
    yield _order(summary)
    yield _quality(summary)
    yield _agencies(summary, directory)
    yield _series(summary)
    yield from (_slice(name, summary.structure[name]) for name in _SLICES)


def _headline(summary: Summary, period: Period) -> Sheet:
    rows = [
        (words.COUNTS[name], change.now, change.earlier, change.change, words.percent(change.share))
        for name, change in summary.dynamics.items()
    ]
    columns = ("Показатель", period.in_words(), period.previous().in_words(), "Изменение", "Изменение, %")
    return Sheet("Итоги", columns, rows, (40, 20, 20, 14, 14))


def _terms(summary: Summary, directory: Directory) -> Sheet:
    rows = [
        (
            words.of(words.RULES, term.rule) + (" (право)" if term.window else ""),
            _who(term.agency, term.role, directory),
            term.met,
            term.breached,
            term.met_late,
            term.excused,
            "—" if term.window else words.kept(term.met, term.breached),
        )
        for term in summary.terms
    ]
    columns = ("Срок", "Кто исполняет", "В срок", "Нарушен", "Исполнен позже", "Уважительно", "Соблюдение")
    return Sheet("Сроки", columns, rows, (30, 40, 10, 10, 12, 12, 14))


def _order(summary: Summary) -> Sheet:
    rows = [(words.of(words.COUNTS, name), number) for name, number in summary.order.items()]
    return Sheet("Порядок работы", ("Показатель", "Число"), rows, (44, 12))


def _quality(summary: Summary) -> Sheet:
    quality = summary.quality
    rows: list[tuple[Any, ...]] = [
        ("Средняя оценка ответов (1–5)", words.decimal(quality.mean_score)),
        ("Поставлено оценок", quality.scored),
        ("Согласовано проектов ответов", quality.approved),
        ("Согласовано с первого раза", words.percent(quality.at_once)),
        ("Опрошено авторов", quality.asked),
        ("Из них удовлетворены", words.percent(quality.satisfied)),
    ]
    return Sheet("Качество", ("Показатель", "Значение"), rows, (44, 14))


def _agencies(summary: Summary, directory: Directory) -> Sheet:
    rows = [
        (
            _who(one.agency, "executor", directory),
            one.issued,
            one.answered,
            one.returned,
            one.sent_back,
            words.decimal(one.quality.mean_score),
            words.kept(one.met, one.breached),
            words.lasting(one.mean_seconds),
        )
        for one in summary.agencies
    ]
    columns = ("Исполнитель", "Поручено", "Отвечено", "Возвращено", "На доработку", "Оценка", "Сроки", "Среднее время")
    return Sheet("Исполнители", columns, rows, (44, 10, 10, 12, 13, 9, 10, 18))


def _series(summary: Summary) -> Sheet:
    rows = [
        (f"{step.start:%d.%m.%Y}", step.received, step.answered, step.dismissed, step.breached)
        for step in summary.series
    ]
    return Sheet(
        "Динамика", ("С даты", "Поступило", "Отвечено", "Не подлежит", "Нарушено сроков"), rows, (14, 12, 12, 14, 16)
    )


def _slice(name: str, slices: Sequence[Slice]) -> Sheet:
    known = {"topic": words.TOPICS, "category": words.IMPORTANCE, "channel": words.NETWORKS}.get(name, {})
    rows = [
        (known.get(one.name, one.name or "не указано"), one.received, one.answered, one.dismissed, one.breached)
        for one in slices
    ]
    columns = (_SLICES[name], "Поступило", "Отвечено", "Не подлежит", "С нарушением срока")
    return Sheet(_SLICES[name], columns, rows, (40, 12, 12, 14, 20))


def _who(agency: str | None, role: str, directory: Directory) -> str:
    if agency is None:
        return words.of(words.ROLES, role)
    known = directory.agencies.get(agency)
    return agency if known is None else known.name


def _table(document: Any, sheet: Sheet, zone: tzinfo) -> None:
    if not sheet.rows:
        document.add_paragraph("За период — нет.")
        return
    table = document.add_table(rows=1, cols=len(sheet.columns))
    table.style = "Table Grid"
    for cell, name in zip(table.rows[0].cells, sheet.columns, strict=True):
        cell.paragraphs[0].add_run(name).bold = True
    for row in sheet.rows:
        for cell, value in zip(table.add_row().cells, row, strict=True):
            cell.text = "" if value is None else str(value)
    for line in table.rows:
        for cell in line.cells:
            for paragraph in cell.paragraphs:
                for run in paragraph.runs:
                    run.font.size = Pt(10)
