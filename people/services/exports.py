"""The export of a person's data: asked for, made by a worker, linked by mail, deleted after a week."""

from contextlib import suppress
from functools import partial
from tempfile import TemporaryFile

from django.core.files import File
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from people.models import PersonalExport, User
from people.models.exports import FOLDER, private_storage
from people.permissions import can_manage
from people.services.archive import write_archive
from people.services.locks import lock_account, lock_active_account, lock_for_staff
from project.common.background.queue import enqueue
from project.common.errors import Conflict
from project.mail.services import send_to_one

MAKE = "people.tasks.make_export"
# Seconds. Less than the time after which a cluster that finishes nothing is taken for dead.
TIMEOUT = 100


class ExportRunning(Conflict):
    code = "export_running"
    message = _("Your data is already being put together. You will get an email when it is ready.")


class EmailUnconfirmed(Conflict):
    code = "email_unconfirmed"
    message = _("The email must be confirmed first: the data would go to whoever reads it.")


@transaction.atomic
def request_export(*, user: User, by: User | None = None) -> None:
    """Have a worker put together all that is kept of a person, and send them the link; an earlier file
    is deleted. At their own wish, or, with `by`, by staff on their behalf, of a blocked account too.

    Raises EmailUnconfirmed, ExportRunning, PermissionDenied, AccountErased.
    """
    user = lock_for_staff(user, by=by, to=can_manage) if by else lock_active_account(user)
    if not user.is_email_confirmed:
        raise EmailUnconfirmed
    if PersonalExport.objects.running().filter(user=user).exists():
        raise ExportRunning
    discard_export(user)
    export = PersonalExport.objects.create(user=user)
    enqueue(MAKE, str(export.pk), timeout=TIMEOUT)


def make_export(export_id: str) -> bool:
    """Make the file, and send the link to it. Twice at once makes the same file twice. Returns False if
    it is not wanted any more."""
    export = PersonalExport.objects.select_related("user").filter(pk=export_id).first()
    if export is None or export.ready_at:
        return False
    with TemporaryFile() as file:
        write_archive(export.user, file)
        file.seek(0)
        private_storage().save(export.file, File(file))
    with transaction.atomic():
        lock_account(export.user_id)  # it may be erased at this moment
        wanted = PersonalExport.objects.filter(pk=export.pk)
        if wanted.filter(ready_at=None).update(ready_at=timezone.now()):
            send_to_one("data_export", export.user, key=export_id)
            return True
        is_gone = not wanted.exists()
    if is_gone:
        private_storage().delete(export.file)
    return False


def discard_export(user: User) -> None:
    """Delete the export of a person, if there is one, with its file once the transaction commits."""
    for export in PersonalExport.objects.filter(user=user):
        transaction.on_commit(partial(private_storage().delete, export.file), robust=True)
        export.delete()


def forget_old_exports() -> int:
    """Delete exports after EXPORTS_KEPT, and files that belong to none; return how many files."""
    PersonalExport.objects.over().delete()
    storage, files = private_storage(), set()
    with suppress(FileNotFoundError):  # nobody has ever asked for one
        files = {f"{FOLDER}/{name}" for name in storage.listdir(FOLDER)[1]}
    # Read after the files: whatever is made meanwhile has its row before.
    old = files - {export.file for export in PersonalExport.objects.all()}
    for name in old:
        storage.delete(name)
    return len(old)
