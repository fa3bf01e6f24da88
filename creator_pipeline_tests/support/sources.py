"""The platforms as the lower rooms know them."""

from creator_pipeline.platforms import of_name
from creator_pipeline.store.source import Source


def source_of(name: str) -> Source:
    """A platform by name."""
    found = of_name(name)
    assert found is not None, name
    return found.source


GUMROAD, WHOP, KDP = source_of("gumroad"), source_of("whop"), source_of("kdp")
