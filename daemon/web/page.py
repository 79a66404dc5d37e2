"""The page `/analytics`: how the business stands, in Italian, for the owner's morning."""

from fastapi import APIRouter

from daemon.web.house import House


def router(house: House) -> APIRouter:
    """The routes of the page; who may see and write is decided in front of them (`gate`)."""
    return APIRouter(include_in_schema=False)
