"""Who may start and stop a run, what its addresses answer, and what the gallery shows of it."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go
import pytest
from django.urls import reverse

from gallery import charts, gallery_page, run_line, snapshot
from gallery.models import Run
from gallery.permission import RUNS_PER_HOUR
from modalities.jobs import State
from tests.factories import make_modality, make_user
from tests.gallery.rows import make_finished_run, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def stem():
    return make_modality("stem", facts={"source_gallery": SOURCE})


SOURCE = {
    "method": "CPU_baseline",
    "mismatch": "nominal",
    "mean": {"I": {"psnr": 22.5, "ssim": 0.3}, "II": {"psnr": 18.5, "ssim": 0.1}}
    | {"III": {"psnr": 23.0, "ssim": 0.2}},
    "scenes": [
        {"name": f"scene_0{i}", "I": {"psnr": 22.5, "ssim": 0.3}}
        | {"II": {"psnr": 18.5, "ssim": 0.1}, "III": {"psnr": 23.0, "ssim": 0.2}}
        for i in range(4)
    ],
}


@pytest.fixture
def public_site(settings):
    settings.PWM_OPEN_COMPUTE = False


def compute(client, modality):
    return client.post(reverse("gallery:compute", args=[modality.key]))


def test_anyone_may_compute_on_their_own_machine(client, stem, settings):
    settings.PWM_OPEN_COMPUTE = True
    compute(client, stem)
    assert Run.objects.get().state == State.QUEUED


def test_a_public_site_asks_for_a_login_first(client, stem, public_site):
    assert "login" in compute(client, stem).url
    assert not Run.objects.exists()


def test_a_run_notes_who_asked_for_it(client, stem, public_site):
    user = make_user()
    client.force_login(user)
    compute(client, stem)
    assert Run.objects.get().started_by == user


def test_a_second_run_waits_for_the_first(client, stem):
    compute(client, stem)
    compute(client, stem)
    assert Run.objects.count() == 1


def test_a_gallery_is_not_computed_without_end(client, stem):
    for _ in range(RUNS_PER_HOUR):
        make_finished_run(stem)
    compute(client, stem)
    assert not Run.objects.live().exists()


def test_compute_is_no_link(client, stem):
    assert client.get(reverse("gallery:compute", args=["stem"])).status_code == 405


def test_compute_needs_the_token_of_a_form(stem):
    from django.test import Client

    assert compute(Client(enforce_csrf_checks=True), stem).status_code == 403


def test_unknown_modality_is_not_computed(client):
    assert client.post(reverse("gallery:compute", args=["sonar"])).status_code == 404


def test_progress_is_asked_for_until_the_run_has_ended(client, stem):
    run = make_run(stem)
    run.claim("worker-1")
    run.beat("Scene 1 of 4, scenario II", 37)
    url = reverse("gallery:progress", args=[run.pk])
    answer = client.get(url)
    assert answer.status_code == 200
    assert b"Scene 1 of 4, scenario II" in answer.content
    assert b"37" in answer.content
    run.fail("error", "The computation stopped with ValueError: odd.")
    answer = client.get(url)
    assert answer.status_code == 286
    assert b"ValueError: odd." in answer.content


def test_page_is_loaded_again_when_there_are_pictures(client, stem):
    run = make_finished_run(stem)
    answer = client.get(reverse("gallery:progress", args=[run.pk]))
    assert (answer.status_code, answer["HX-Refresh"]) == (286, "true")


def test_run_page_tells_its_history(client, stem):
    run = make_finished_run(stem)
    text = client.get(run.get_absolute_url()).content.decode()
    for word in ("queued", "claimed", "succeeded", "worker-1", run.spec_hash[:12]):
        assert word in text


def test_waiting_run_knows_its_place(stem):
    run = make_run(stem)
    assert run_line.forecast_of(Run.objects.get(pk=run.pk)).place == 1


def test_only_who_started_a_run_may_cancel_it(client, stem, public_site):
    owner, other = make_user(), make_user()
    run = make_run(stem, started_by=owner)
    url = reverse("gallery:cancel", args=[run.pk])
    client.force_login(other)
    assert client.post(url).status_code == 403
    client.force_login(owner)
    assert client.post(url).status_code == 302
    assert Run.objects.get().state == State.CANCELLED


@pytest.mark.parametrize("name", ["nothing.webp", ".unfinished-1", "..", "%2e%2e%2fsecret"])
def test_files_of_a_run_are_its_own_only(client, stem, name):
    run = make_finished_run(stem)
    assert client.get(f"/runs/{run.pk}/files/{name}").status_code in (400, 404)


def test_gallery_shows_ours_and_the_sources_figures(stem):
    make_finished_run(stem)
    gallery = gallery_page.of_modality(stem)
    assert gallery.scenarios == ["I", "II", "III"]
    assert len(gallery.scenes) == 4
    assert gallery.means[0].score.psnr_text == "31.50"
    assert gallery.means[0].source.psnr_text == "22.50"
    assert gallery.mismatch_cost == "4.0 dB"
    assert gallery.rho == ""


def test_gallery_has_a_tab_for_the_scenes_away(client, stem):
    run = make_finished_run(stem)
    gallery = gallery_page.of_modality(stem)
    away = [scene.name for scene in stem.spec.samples("public") if scene.is_away]
    assert [row.name for row in gallery.away.scenes] == away
    assert [row.index for row in gallery.away.scenes] == [4, 5, 6, 7]
    assert gallery.away.means[0].score.psnr_text == "35.50", "no scene at home is among them"
    page = client.get(run.get_absolute_url()).content.decode()
    assert 'id="gallery-away"' in page
    assert all(f'<th scope="row">{name}</th>' in page for name in away)


def test_gallery_of_a_modality_without_scenes_away_has_no_tabs(client, stem):
    spec = snapshot.take(replace(stem.spec, away=()))
    run = make_finished_run(stem, spec=spec, spec_hash=snapshot.digest(spec))
    gallery = gallery_page.of_modality(stem)
    assert (len(gallery.scenes), gallery.away) == (4, None)
    assert 'id="gallery-away"' not in client.get(run.get_absolute_url()).content.decode()


def test_spec_of_a_run_comes_back_as_it_was(stem):
    assert snapshot.restore(snapshot.take(stem.spec)) == stem.spec


def test_gallery_names_where_the_source_does_worse_by_knowing_the_mismatch(stem):
    make_finished_run(stem)
    assert gallery_page.of_modality(stem).source_violations == []
    for row in stem.facts["source_gallery"]["scenes"][:2]:
        row["III"], row["II"] = row["II"], row["III"]
    assert len(gallery_page.of_modality(stem).source_violations) == 2


def test_share_won_back_is_shown_where_there_was_something_to_win(stem):
    run = make_run(stem, calibrated={"probe_size": 0.09})
    run.claim("worker-1")
    from tests.gallery.rows import make_results

    run.succeed(lambda: make_results(run))
    gallery = gallery_page.of_modality(stem)
    assert gallery.scenarios == ["I", "II", "III", "IV"]
    assert gallery.rho == f"{(4 - 1.5) / (4 - 1):.2f}"


def test_gallery_keeps_its_pictures_while_a_new_run_is_computed(stem):
    done = make_finished_run(stem)
    live = make_run(stem)
    gallery = gallery_page.of_modality(stem)
    assert (gallery.run.id, gallery.live.id) == (str(done.pk), str(live.pk))


def test_failed_run_is_shown_with_its_reason(stem):
    run = make_run(stem)
    run.claim("worker-1")
    run.fail("memory", "It needs more memory.")
    gallery = gallery_page.of_modality(stem)
    assert gallery.run is None
    assert gallery.failed.error_message == "It needs more memory."


def test_gallery_costs_three_queries_at_most(stem, django_assert_max_num_queries):
    for _ in range(5):
        make_finished_run(stem)
    make_run(stem)
    with django_assert_max_num_queries(3):
        gallery_page.of_modality(stem)


def test_chart_is_a_figure_that_plotly_accepts(stem):
    make_finished_run(stem)
    gallery = gallery_page.of_modality(stem)
    figure = go.Figure(charts.mean_psnr(gallery.scenes, gallery.means))
    assert len(figure.data) == 2 * len(gallery.means)


def test_every_move_gives_the_page_a_new_version(stem):
    versions = [stem.version]
    run = make_run(stem)
    for move in (
        lambda: None,
        lambda: run.claim("worker-1"),
        lambda: run.fail("error", "It broke."),
    ):
        move()
        stem.refresh_from_db()
        versions.append(stem.version)
    assert versions == sorted(set(versions))


def test_nobody_is_told_which_machine_computes(client, stem):
    run = make_run(stem)
    assert run.claim("node7.cluster.lab:4242")
    run.cancel("ann")
    addresses = [run.get_absolute_url(), f"/api/v1/runs/{run.pk}/", "/api/v1/runs/", "/readyz"]
    addresses += [reverse("gallery:progress", args=[run.pk])]
    for address in addresses:
        answer = client.get(address).content.decode()
        assert "node7" not in answer, address
        assert "4242" not in answer, address
    assert [e["by"] for e in client.get(addresses[1]).json()["events"]] == ["", "a worker", "ann"]


def test_api_gives_the_runs_and_the_gallery(client, stem):
    run = make_finished_run(stem)
    listed = client.get("/api/v1/runs/?state=succeeded").json()["results"]
    assert [row["id"] for row in listed] == [str(run.pk)]
    detail = client.get(f"/api/v1/runs/{run.pk}/").json()
    assert len(detail["results"]) == 3 * len(stem.spec.samples("public"))
    assert detail["results"][0]["files"]["arrays"].endswith("scene_00.npz")
    gallery = client.get("/api/v1/modalities/stem/gallery/").json()
    assert gallery["means"][0]["source"]["psnr"] == 22.5
    assert gallery["away"]["means"][0]["source"] is None


def test_staff_can_cancel_and_restart_in_the_admin(admin_client, stem):
    run = make_run(stem)
    url = reverse("admin:gallery_run_changelist")
    for action, state in (("cancel", State.CANCELLED), ("restart", State.QUEUED)):
        admin_client.post(url, {"action": action, "_selected_action": [str(run.pk)]})
        run.refresh_from_db()
        assert run.state == state
    assert admin_client.get(reverse("admin:gallery_run_change", args=[run.pk])).status_code == 200
