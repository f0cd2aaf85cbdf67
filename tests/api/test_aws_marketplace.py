"""The AWS marketplace's operations, which are refused whoever asks, and say so."""

from tests.harness.world import World


async def test_nothing_of_the_marketplace_is_served(world: World) -> None:
    stranger, _ = await world.stranger()
    before = await world.rows()
    form = {"x-amzn-marketplace-token": "t"}
    await world.anyone.refused("POST", "/v1/aws-customer-redirect", 501, "not implemented", data=form)
    await world.anyone.refused(
        "POST", "/v1/aws-marketplace-subscription-notifications", 501, "not implemented", json={"action": "subscribe-success"}
    )
    path = f"/v1/projects/{world.project_id}/aws-contracts"
    await world.admin.refused("POST", path, 501, "not implemented", json={"amazonMarketplaceToken": "t"})
    await world.anyone.refused("POST", path, 401, "unauthenticated", json={"amazonMarketplaceToken": "t"})
    await stranger.refused("POST", path, 403, "permission denied")
    assert await world.rows() == before
