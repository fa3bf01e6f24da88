"""Gumroad's lists beside products, sales and payouts, as the declared tables read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from creator_pipeline.core.errors import TransientError
from creator_pipeline.core.http import ApiClient
from creator_pipeline.platforms.gumroad.answers import (
    Json,
    NoSuccessError,
    NotFoundError,
    SlowQueryError,
    object_of,
    objects_of,
    optional,
    repeated_key,
)
from creator_pipeline.runtime.table_lists import NoParentError, NoTableError


class TableCalls:
    """The lists of one account.

    Args:
        api: with the account's token.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def pages(self, path: str, asked: Mapping[str, str], list_key: str) -> Iterator[list[Json]]:
        """The pages of a list, asked for one by one.

        Args:
            path: with the product's id.
            asked: parameters.
            list_key: of the answers.

        Raises:
            NoTableError: the server doesn't know the list.
            NoParentError: there is no such product.
            DataError: a page key came twice, or an answer has no list.
            TransientError: the server took too long.
        """
        key: str | None = None
        seen: set[str] = set()
        while True:
            body = self._page(path, {**asked, **({"page_key": key} if key else {})})
            yield objects_of(body, list_key)
            told = body.get("next_page_key")
            if not told:
                return
            key = str(told)
            if key in seen:
                raise repeated_key(path, key)
            seen.add(key)

    def one(self, path: str, object_key: str) -> Json | None:
        """One object; None where there is none.

        Args:
            path: with its id.
            object_key: of the answer.
        """
        return optional(lambda: object_of(self._api.get(path), object_key))

    def usage(self) -> Mapping[str, int | float]:
        """Requests and waiting so far."""
        return self._api.usage.metadata()

    def _page(self, path: str, asked: Mapping[str, str]) -> Json:
        try:
            return self._api.get(path, dict(asked) or None)
        except NotFoundError as error:
            raise NoTableError(error.message) from None
        except NoSuccessError as error:
            raise NoParentError(error.message) from None
        except SlowQueryError as error:
            raise TransientError(error.message) from None
