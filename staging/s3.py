"""Any S3 store, through boto3. Bytes of parts and objects travel over plain HTTP connections of our own with
presigned links: boto3 would want to read a whole part before it sends it."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from staging.base import GIB, ObjectInfo, Part, Sink, Source, StagingArea, Stray, UploadForm
from staging.errors import (
    Damaged,
    Incomplete,
    ObjectMissing,
    StagingError,
    StoreUnreachable,
)
from staging.http import ReadAnswer, SendBody, refused

T = TypeVar("T")
logger = logging.getLogger(__name__)

_OWN_SECONDS = 3600
"""How long the links live that this process uses itself."""
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class S3Settings:
    """``endpoint`` is the store's address from here, None for Amazon's; ``public_endpoint`` as people, and
    ``system_endpoint`` as systems reach it. The store forgets what is older than ``keep_days`` where it can."""

    access_key: str
    secret_key: str
    endpoint: str | None = None
    public_endpoint: str | None = None
    system_endpoint: str | None = None
    region: str = "us-east-1"
    bucket: str = "centro"
    addressing: str = "path"
    keep_days: int = 8


class S3Area(StagingArea):
    """One bucket."""

    kind = "s3"
    largest_form = 5 * GIB  # of one POST or PUT (Amazon S3, "uploading objects")

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        self._session = boto3.session.Session()
        self._making = threading.Lock()

    def _client(self, endpoint: str | None) -> Any:
        """A client of one address. All share a session, which holds the description of S3: 13 MB each else."""
        chosen = self._settings
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": chosen.addressing},
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 2},
            # stores that are not Amazon's need not know the newer checksums
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        with self._making:  # threads may share clients, but not a session that makes one
            return self._session.client(
                "s3",
                endpoint_url=endpoint,
                region_name=chosen.region,
                aws_access_key_id=chosen.access_key,
                aws_secret_access_key=chosen.secret_key,
                config=config,
            )

    @cached_property
    def _own(self) -> Any:
        return self._client(self._settings.endpoint)

    @cached_property
    def _public(self) -> Any:
        return self._client(self._settings.public_endpoint or self._settings.endpoint)

    @cached_property
    def _inside(self) -> Any:
        chosen = self._settings
        return self._client(chosen.system_endpoint or chosen.public_endpoint or chosen.endpoint)

    @property
    def origins(self) -> list[str]:
        url = self._public.generate_presigned_url(
            "get_object", {"Bucket": self._bucket, "Key": "x"}
        )
        parts = urlsplit(url)
        return [f"{parts.scheme}://{parts.netloc}"]

    def prepare(self) -> list[str]:
        faults = []
        try:
            self._ask("head_bucket")
        except ObjectMissing:
            self._ask("create_bucket")
        rules: list[tuple[str, Callable[[], Any]]] = [
            ("rules of expiry", self._set_expiry),
            ("rules for browsers (CORS)", self._set_cors),
        ]
        for what, work in rules:
            try:
                work()
            except StagingError as error:
                faults.append(f"The store does not take {what}: {error}")
        return faults

    def _set_expiry(self) -> None:
        days = self._settings.keep_days
        rule = {
            "ID": "centro-staging",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"Days": days},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days},
        }
        self._ask("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [rule]})

    def _set_cors(self) -> None:
        rule = {
            "AllowedMethods": ["GET", "HEAD", "PUT", "POST"],
            "AllowedOrigins": ["*"],  # the links carry the permission, no cookie does
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 3600,
        }
        self._ask("put_bucket_cors", CORSConfiguration={"CORSRules": [rule]})

    # links

    def upload_form(self, key: str, limit: int, seconds: int) -> UploadForm:
        made = _named(
            lambda: self._public.generate_presigned_post(
                self._bucket,
                key,
                Conditions=[["content-length-range", 0, limit]],
                ExpiresIn=seconds,
            )
        )
        return UploadForm("POST", made["url"].rstrip("/"), made["fields"])

    def upload_url(self, key: str, size: int, seconds: int) -> str:
        return self._sign(self._public, "put_object", seconds, Key=key, ContentLength=size)

    def download_url(self, key: str, seconds: int, *, name: str = "", inside: bool = False) -> str:
        more = {}
        if name:
            more["ResponseContentDisposition"] = (
                f"attachment; filename*=UTF-8''{quote(name, safe='')}"
            )
        client = self._inside if inside else self._public
        return self._sign(client, "get_object", seconds, Key=key, **more)

    def part_url(
        self,
        key: str,
        upload_id: str,
        number: int,
        size: int,
        seconds: int,
        *,
        inside: bool = False,
    ) -> str:
        client = self._inside if inside else self._public
        return self._part_url(client, key, upload_id, number, size, seconds)

    def _part_url(
        self, client: Any, key: str, upload_id: str, number: int, size: int, seconds: int
    ) -> str:
        return self._sign(
            client,
            "upload_part",
            seconds,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            ContentLength=size,
        )

    def _sign(self, client: Any, method: str, seconds: int, **more: Any) -> str:
        values = {"Bucket": self._bucket, **more}
        return str(_named(lambda: client.generate_presigned_url(method, values, ExpiresIn=seconds)))

    # uploads in parts

    def begin_parts(self, key: str, part_size: int) -> str:
        return str(self._ask("create_multipart_upload", Key=key)["UploadId"])

    def parts(self, key: str, upload_id: str) -> list[Part]:
        found: list[tuple[int, datetime, Part]] = []
        marker = 0
        while True:
            page = self._ask("list_parts", Key=key, UploadId=upload_id, PartNumberMarker=marker)
            for one in page.get("Parts", []):
                part = Part(one["PartNumber"], one["Size"], one["ETag"].strip('"'))
                found.append((part.number, one["LastModified"], part))
            if not page.get("IsTruncated"):
                break
            marker = page["NextPartNumberMarker"]
        found.sort(key=lambda one: one[:2])
        # SeaweedFS 4.48 lists a part twice that was sent twice; the last one counts
        return list({number: part for number, _, part in found}.values())

    def finish_parts(self, key: str, upload_id: str, parts: list[Part]) -> ObjectInfo:
        named = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in parts]
        with contextlib.suppress(ObjectMissing):  # finished before, if the object is there now
            self._ask(
                "complete_multipart_upload",
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": named},
            )
        done = self.stat(key)
        if done is None:
            raise ObjectMissing("There is no such upload.")
        size = sum(part.size for part in parts)
        if done.size != size:
            raise Incomplete(f"The store made {done.size} bytes of {size}.")
        return done

    def abort_parts(self, key: str, upload_id: str) -> None:
        with contextlib.suppress(ObjectMissing):
            self._ask("abort_multipart_upload", Key=key, UploadId=upload_id)

    @contextlib.contextmanager
    def part_writer(self, key: str, upload_id: str, number: int, size: int) -> Iterator[Sink]:
        url = self._part_url(self._own, key, upload_id, number, size, _OWN_SECONDS)
        with SendBody(url, size) as body:
            yield body
            etag = body.finish()
        _compare(etag, body.md5)

    # objects

    @contextlib.contextmanager
    def reader(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[Source]:
        url = self._sign(self._own, "get_object", _OWN_SECONDS, Key=key)
        if length == 0:
            raise ValueError("a length of 0 bytes has no range")
        with ReadAnswer(url, offset, length) as answer:
            yield answer

    def put(self, key: str, data: bytes) -> None:
        made = self._ask("put_object", Key=key, Body=data)
        _compare(made["ETag"], hashlib.md5(data, usedforsecurity=False).hexdigest())

    def stat(self, key: str) -> ObjectInfo | None:
        try:
            found = self._ask("head_object", Key=key)
        except ObjectMissing:
            return None
        modified: datetime = found["LastModified"]
        return ObjectInfo(found["ContentLength"], found["ETag"].strip('"'), modified)

    def revoke(self, key: str) -> None:
        with contextlib.suppress(ObjectMissing):
            self._ask("delete_object", Key=key)

    def strays(self, before: datetime) -> list[Stray]:
        found = []
        for one in self._ask("list_objects_v2", MaxKeys=_PAGE).get("Contents", []):
            if one["LastModified"] < before:
                found.append(Stray(one["Key"], one["LastModified"]))
        for one in self._ask("list_multipart_uploads", MaxUploads=_PAGE).get("Uploads", []):
            if one["Initiated"] < before:
                found.append(Stray(one["Key"], one["Initiated"], one["UploadId"]))
        return found

    def _ask(self, method: str, **values: Any) -> Any:
        return _named(lambda: getattr(self._own, method)(Bucket=self._bucket, **values))


def _compare(etag: str, md5: str) -> None:
    """A store's mark of one piece is its MD5, but where it encrypts with keys of its own."""
    mark = etag.strip('"').lower()
    if len(mark) == 32 and mark != md5:
        raise Damaged("The store got other bytes than were sent.")


def _named(work: Callable[[], T]) -> T:
    """What boto3 raises as an error of this package."""
    try:
        return work()
    except ClientError as error:
        said = error.response.get("Error", {})
        code = str(said.get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        raise refused(status, code, str(said.get("Message") or code)) from error
    except BotoCoreError as error:
        raise StoreUnreachable(f"The store does not answer: {error}") from error
