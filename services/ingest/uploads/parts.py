"""How the upload side of ingest is put together: routes, jobs and indexes around one store."""

from services.ingest.media_safety.confinement import can_confine
from services.ingest.media_safety.model import MediaLimits
from services.ingest.media_safety.sandbox import NO_ISOLATION, WAIVED, LocalSandbox, Sandbox, Station
from services.ingest.settings import IngestSettings
from services.ingest.uploads.chunks import Quarantine
from services.ingest.uploads.cleanup import Sweep
from services.ingest.uploads.leases import Leases
from services.ingest.uploads.protocol import UploadLimits
from services.ingest.uploads.scan_job import Screening
from services.ingest.uploads.store import Approved, Uploads
from services.ingest.uploads.tus import routes
from shared.http.problems import ConfigurationError
from shared.runtime.service import Parts, Runtime
from shared.storage.media import MediaStore


def wire_uploads(
    runtime: Runtime, store: MediaStore, approved: Approved, limits: UploadLimits, safety: MediaLimits
) -> tuple[Uploads, Parts]:
    """The uploads for whoever claims them, and what the process needs to run them. Raises as `_sandbox` does."""
    sandbox = _sandbox(IngestSettings.of(runtime.settings))
    uploads = Uploads(runtime.database, limits, approved)
    quarantine = Quarantine(store)
    leases = Leases(runtime.database, uploads)
    workshop = runtime.settings.home / "screening"
    screening = Screening(leases, quarantine, store, sandbox, workshop, safety)
    sweep = Sweep(runtime.database, quarantine, store, workshop)
    return uploads, Parts(
        routers=[routes(uploads, quarantine, runtime.guard, limits)],
        jobs={"screening": screening.run, "upload_sweep": sweep.run},
        prepare=[uploads.prepare],
    )


def _sandbox(settings: IngestSettings) -> Sandbox:
    """Where decoders run. Raises `ConfigurationError` where they would not be kept from everything else."""
    if settings.screening_socket is not None:
        return Station(settings.screening_socket)
    waived = settings.decoder_isolation == WAIVED
    if not (waived or can_confine()):
        raise ConfigurationError(NO_ISOLATION)
    return LocalSandbox(waived=waived)
