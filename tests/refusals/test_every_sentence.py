"""Every sentence that the published client knows can be heard from this server, with its status, or it says why not."""

import re
from collections.abc import Callable
from pathlib import Path

from httpx import Response

from nectary.settings import Settings
from tests.harness.world import World, strange_world
from tests.refusals.refusals import BEYOND, NEVER, PUBLISHED, Refusal
from tests.refusals.scene import Scene, furnished
from tests.refusals.stories import STORIES

_FAMILY = re.compile(r"- \*\*\w+ → (\d{3})\*\* \((\d+)\): (.+)")


async def _provoked(scene: Scene, refusal: Refusal) -> Response:
    if refusal.story:
        return await STORIES[refusal.story](scene)
    method, path, sent = refusal.request(scene.names)
    http = scene.by[refusal.asker]
    if refusal.twice:
        first = await http.request(method, path, **sent)
        assert first.is_success, f"{refusal.sentence}, the first time: {first.status_code} {first.text[:300]}"
    return await http.request(method, path, **sent)


def _fault(refusal: Refusal, answer: Response) -> str | None:
    said = answer.json().get("error") if "json" in answer.headers.get("content-type", "") else answer.text
    if (answer.status_code, said) == (refusal.status, refusal.sentence):
        return None
    return f"{refusal.status} {refusal.sentence!r}: was {answer.status_code} {answer.text[:300]}"


async def test_every_sentence_is_heard_with_its_status(world: World, make_settings: Callable[..., Settings]) -> None:
    scene = await furnished(world)
    faults = []
    for refusal in (*PUBLISHED, *BEYOND):
        if refusal.settings:
            other = strange_world(make_settings(**refusal.settings))
            try:
                answer = await _provoked(_seen_by(other, scene), refusal)
            finally:
                await other.context.database.close()
        else:
            answer = await _provoked(scene, refusal)
        faults += [fault] if (fault := _fault(refusal, answer)) else []
    assert not faults, "\n".join([f"{len(faults)} of {len(PUBLISHED) + len(BEYOND)}:", *faults])


def _seen_by(world: World, scene: Scene) -> Scene:
    """The same scene and people, asking another server."""
    by = {who: world.http(**dict(http.headers.items())) for who, http in scene.by.items()}
    return Scene(world, scene.names, by)


def test_the_table_holds_the_published_list_and_no_more(shared: Path) -> None:
    appendix = (shared / "facts" / "api-semantics.md").read_text().split("## Appendix B")[1].split("\n## ")[0]
    families = [(int(status), int(count), re.findall(r"`([^`]+)`", said)) for status, count, said in _FAMILY.findall(appendix)]
    assert all(len(sentences) == count for _, count, sentences in families)
    published = {sentence: status for status, _, sentences in families for sentence in sentences}
    assert len(published) == 224
    told = {refusal.sentence: refusal.status for refusal in PUBLISHED}
    assert not told.keys() & NEVER.keys()
    assert told | {sentence: published.get(sentence) for sentence in NEVER} == published
    assert not {refusal.sentence for refusal in BEYOND} & published.keys()
    assert all(reason for reason in NEVER.values())
