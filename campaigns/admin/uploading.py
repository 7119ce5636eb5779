"""A file goes from the request straight into sealed rows: Django would put it in clear into /tmp."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopUpload

from campaigns.errors import WrongFile
from campaigns.import_people import Upload
from campaigns.policy import CSV_CHUNK_BYTES
from campaigns.store.imports import NewImport
from campaigns.vocabulary import ImportMode

_LONGEST_NAME = 100


class SealingUpload(FileUploadHandler):
    """Takes the one file of a form as it comes in; what is wrong with it is told when the form has been read."""

    chunk_size = CSV_CHUNK_BYTES

    def __init__(self, created_by: str, staff_id: int) -> None:
        """Whose upload it is."""
        super().__init__()
        self._created_by = created_by
        self._staff_id = staff_id
        #: None: there was no file, or nothing in it.
        self.upload: Upload | None = None
        self.file_name_kept = ""
        self.fault: WrongFile | None = None

    def wanted(self, mode: ImportMode, *, dry_run: bool, topic_key: str) -> NewImport:
        """What is asked for with the file."""
        return NewImport(
            file_name=self.file_name_kept,
            mode=mode,
            dry_run=dry_run,
            topic_key=topic_key,
            created_by=self._created_by,
            staff_id=self._staff_id,
        )

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """The file begins; a second one ends the upload."""
        super().new_file(*args, **kwargs)
        if self.upload is not None:
            raise StopUpload(connection_reset=True)
        self.file_name_kept = (self.file_name or "")[:_LONGEST_NAME]
        # What is wanted is known when the whole form is; the strictest stands in.
        self.upload = Upload(self.wanted(ImportMode.MERGE, dry_run=True, topic_key=""))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Seal the next bytes; behind a fault the rest is passed over."""
        del start
        assert self.upload is not None
        try:
            self.upload.feed(raw_data)
        except WrongFile as fault:
            self.fault = fault
            raise SkipFile from None

    def file_complete(self, file_size: int) -> UploadedFile[Any] | None:
        """Nothing is handed on: it is in the database."""
        del file_size
        return None
