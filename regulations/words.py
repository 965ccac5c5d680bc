"""What the rules are called in Russian: in explanations, on pages, in files and in the regulations' pages alike."""

from __future__ import annotations

RULES = {
    "route": "направление исполнителю",
    "return": "возврат не по компетенции",
    "reroute": "повторное направление после возврата",
    "answer": "ответ автору",
    "draft": "проект ответа",
    "review": "согласование проекта",
    "rework": "доработка проекта",
    "publish": "размещение ответа",
    "contribution": "информация соисполнителя",
    "contribution_review": "согласование информации соисполнителя",
    "final_draft": "проект окончательного ответа",
    "case_review": "согласование кейса",
    "case_report": "отчёт о размещении кейса",
    "summary": "сводная информация",
    "summary_review": "согласование сводной информации",
}
