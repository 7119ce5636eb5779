"""moto as AWS: its own account with a user who may do one thing, and signatures checked the way botocore makes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import boto3
import requests
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
NOBODY = {"aws_access_key_id": "AKIANOBODY", "aws_secret_access_key": "nobody", "region_name": REGION}


class Aws(NamedTuple):
    """Where it is, and a key that may do what was asked for."""

    url: str
    access_key_id: str
    secret_access_key: str

    def client(self, service: str) -> Any:
        """AWS's own library, with the same key."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )


@contextmanager
def aws_that_checks(action: str) -> Iterator[Aws]:
    """One user who may call `action` alone; from then on every signature is verified."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        requests.post(f"{url}/moto-api/reset", timeout=5).raise_for_status()
        requests.post(f"{url}/moto-api/reset-auth", data=b"1000000", timeout=5).raise_for_status()
        iam = boto3.client("iam", endpoint_url=url, **NOBODY)
        iam.create_user(UserName="carillon")
        allowed = {"Effect": "Allow", "Action": action, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="carillon", PolicyName="may", PolicyDocument=policy)
        key = iam.create_access_key(UserName="carillon")["AccessKey"]
        requests.post(f"{url}/moto-api/reset-auth", data=b"0", timeout=5).raise_for_status()
        yield Aws(url, key["AccessKeyId"], key["SecretAccessKey"])
    finally:
        requests.post(f"{url}/moto-api/reset-auth", data=b"1000000", timeout=5)
        server.stop()
