"""What a configuration may ask for can be built: found out at import, and not by somebody's run."""

from __future__ import annotations

from collections.abc import Container, Iterable

from engine.schema.fields import known_kinds


def check_complete(section: str, built: Iterable[str], where: str, elsewhere: Container[str] = ()) -> None:
    """Every kind of `section` has something that builds it, and nothing else has.

    Args:
        section: A section of the configuration.
        built: Kinds that have something.
        where: The table of what builds them, for the message.
        elsewhere: Kinds that are built by others.

    Raises:
        NotImplementedError: a kind has nothing, or there is no such kind.
    """
    kinds, built = [kind for kind in known_kinds(section) if kind not in elsewhere], list(built)
    for kind in kinds:
        if kind not in built:
            raise NotImplementedError(f"nothing builds {section} '{kind}': add what does to {where}")
    for kind in built:
        if kind not in kinds:
            raise NotImplementedError(
                f"{where} builds {section} '{kind}', which the schema does not know: add its class to "
                f"{section.capitalize()} in engine/schema/{section}.py"
            )
