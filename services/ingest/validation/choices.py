"""What the portal's forms offer to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from babel import Locale

from shared.campaign.model import Campaign


@dataclass(frozen=True, slots=True)
class Choices:
    """What the forms offer."""

    countries: Sequence[str]
    languages_invited: Sequence[str]
    languages_other: Sequence[str]
    sections: Sequence[object]
    hashtags_invited: str

    @classmethod
    def of(cls, campaign: Campaign) -> "Choices":
        """The campaign's countries, languages and teams, and every other language with a code of two letters."""
        known = [tag for tag in map(str, Locale("en").languages) if len(tag) == 2]  # noqa: PLR2004 - ISO 639-1
        return cls(
            countries=campaign.countries,
            languages_invited=campaign.languages,
            languages_other=[tag for tag in known if tag not in campaign.languages],
            sections=campaign.sections,
            hashtags_invited=" ".join(f"#{tag}" for tag in campaign.hashtags),
        )

    def shown(self) -> dict[str, Any]:
        """The same for a template."""
        return {
            "countries": self.countries,
            "languages_invited": self.languages_invited,
            "languages_other": self.languages_other,
            "sections": self.sections,
            "hashtags_invited": self.hashtags_invited,
        }
