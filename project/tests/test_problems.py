"""Whatever is asked, nothing under /api/ answers with anything but a problem document."""

import pytest


@pytest.mark.parametrize("path", ["nothing", "users/", "../api/v1/%00", "users/abc"])
def test_unknown_path_is_a_problem_document(api, db, path):
    response = api(None).get(path)
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"
