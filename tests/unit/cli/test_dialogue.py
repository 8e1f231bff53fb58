from __future__ import annotations

from pathlib import Path

from konterfei.cli.dialogue import completed
from konterfei.stages.consent import ConsentConfig

MODULE = "konterfei.stages.consent"


def test_open_questions_are_asked_and_wrong_answers_asked_again(capsys):
    answers = iter(["Anna Muster", "nobody", "estate", "my film", "", "Agreed with her son on 3 May, letter kept.", ""])
    prompts = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return next(answers)

    config = completed(ConsentConfig(output=Path("anna.toml")), MODULE, ask)
    assert (config.person, config.basis, config.scope) == ("Anna Muster", "estate", ("my film",))
    assert next(answers, None) in ("", None)
    said = capsys.readouterr().err
    assert "nobody" in said
    assert "public-domain" in said


def test_what_the_flags_said_is_not_asked():
    config = ConsentConfig(output=Path("anna.toml"), person="Anna Muster", basis="self", scope=("any",))
    assert completed(config, MODULE, lambda prompt: 1 / 0) == config
