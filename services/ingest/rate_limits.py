"""Ingest's limits: how often one person, network or code may write or guess."""

from services.ingest.settings import IngestSettings
from shared.http.rate_limit import Allowance, Limiter, is_loopback, network_of


class RateLimits:
    """All limits of ingest together."""

    def __init__(self, settings: IngestSettings) -> None:
        of_person = Allowance(settings.submissions_at_once, settings.submissions_per_hour)
        of_network = Allowance(settings.requests_at_once, settings.requests_per_hour)
        of_guesses = Allowance(settings.guesses_at_once, settings.guesses_per_hour)
        self._people = Limiter("submissions from you", of_person)
        self._networks = Limiter("requests from your network", of_network)
        self._guesses = Limiter("wrong codes or tokens", of_guesses)
        self._loopback_too = settings.limit_loopback

    def write(self, host: str | None, person_id: str | None = None) -> None:
        """Count one writing request of a network and a person. Raises 429 `too_many_requests`."""
        if is_loopback(host) and not self._loopback_too:
            return
        self._networks.count(network_of(host))
        if person_id is not None:
            self._people.count(person_id)

    def expect_guess(self, host: str | None, code: str | None = None) -> None:
        """Refuse to look at a code or token while there were too many wrong ones. Raises 429."""
        for key in _guess_keys(host, code):
            self._guesses.check(key)

    def guessed_wrong(self, host: str | None, code: str | None = None) -> None:
        """Count a wrong code or token against its network and itself."""
        for key in _guess_keys(host, code):
            self._guesses.count(key)


def _guess_keys(host: str | None, code: str | None) -> list[str]:
    network = f"network {network_of(host)}"
    return [network] if code is None else [network, f"code {code}"]
