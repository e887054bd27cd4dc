"""How the upload side of ingest is put together: routes, jobs and indexes around one store."""

from services.ingest.safety_rules import Limits
from services.ingest.screening import Screening
from services.ingest.upload_leases import Leases
from services.ingest.upload_pieces import Quarantine
from services.ingest.upload_rules import UploadLimits
from services.ingest.upload_store import Uploads
from services.ingest.upload_sweep import Sweep
from services.ingest.uploads import routes
from shared.media import MediaStore
from shared.service import Parts, Runtime


def wire_uploads(
    runtime: Runtime, store: MediaStore, limits: UploadLimits, safety: Limits
) -> tuple[Uploads, Parts]:
    """The uploads for whoever claims them, and what the process needs to run them."""
    uploads = Uploads(runtime.database, limits)
    quarantine = Quarantine(store)
    leases = Leases(runtime.database, uploads)
    workshop = runtime.settings.home / "screening"
    screening = Screening(leases, quarantine, store, workshop, safety)
    sweep = Sweep(runtime.database, quarantine, store, workshop)
    return uploads, Parts(
        routers=[routes(uploads, quarantine, runtime.guard, limits)],
        jobs={"screening": screening.run, "upload_sweep": sweep.run},
        prepare=[uploads.prepare],
    )
