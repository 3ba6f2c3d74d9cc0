"""What a user may ask for: pydantic models, told apart by `kind`. No torch here."""

from engine.schema.base import DataFacts, Section
from engine.schema.errors import ConfigError, Problem, validate
from engine.schema.merge import overlay
from engine.schema.run import RunConfig

__all__ = ["ConfigError", "DataFacts", "Problem", "RunConfig", "Section", "overlay", "validate"]
