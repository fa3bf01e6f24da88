"""Requests to servers of this machine; the list of authorities is read once and not for each of them."""

from __future__ import annotations

from functools import partial

import httpx

from creator_pipeline.core.tls import tls_context

Client = partial(httpx.Client, verify=tls_context())
get = partial(httpx.get, verify=tls_context())
head = partial(httpx.head, verify=tls_context())
post = partial(httpx.post, verify=tls_context())
