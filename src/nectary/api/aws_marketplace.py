"""AWS marketplace: the original sold itself there. Nobody buys a server of their own by subscription, so nothing is served."""

from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import OpenToAll, Route, may
from nectary.errors import NotServed

router = APIRouter(tags=["aws_marketplace"], route_class=Route)


@router.post("/v1/aws-customer-redirect", operation_id="awsCustomerRedirect", status_code=501)
async def redirect_aws_customer(_: OpenToAll) -> None:
    """Not served: a marketplace subscription means nothing to a server of your own."""
    raise _not_served()


@router.post("/v1/projects/{projectID}/aws-contracts", operation_id="createAWSContractFromToken", status_code=501)
async def create_aws_contract(_: Annotated[Caller, may("create:*", tables.projects)]) -> None:
    """Not served: there is no contract to make."""
    raise _not_served()


@router.post("/v1/aws-marketplace-subscription-notifications", operation_id="awsSubscriptionNotification", status_code=501)
async def notify_aws_subscription(_: OpenToAll) -> None:
    """Not served: nobody subscribes."""
    raise _not_served()


def _not_served() -> NotServed:
    return NotServed("not implemented", "this server is not sold on the AWS marketplace")
