# SPDX-License-Identifier: Apache-2.0
"""Who we are to a VNFM: OAuth2 client credentials, user and password, a certificate; and what is refused at load."""
import json

import pytest
from conftest import wait_for
from lcm_kit import HEAL, carried_out, check, failed, log, policy, start, vnfm  # noqa: F401 (fixtures)
from pki import Authority
from sol_server import Sol
from test_actuator import metric


def secret(stack, text):
    path = stack.dir / "client.secret"
    path.write_text(text + "\n")
    return str(path)


def oauth2(stack, sol, **more):
    sol.client = ("hale", "s3cret-of-hale")
    return {"vnfm": {"type": "oauth2", "token_url": sol.url + "/token", "client_id": "hale",
                     "client_secret_file": secret(stack, "s3cret-of-hale"), **more}}


def secrets_kept(stack, log, *words):
    text = stack.daemons["actuator"].log() + json.dumps(log.rows())
    text += str(log.redis.cmd("HGETALL", "hale:{m}:runs"))
    assert not [word for word in words if word in text]


@pytest.mark.parametrize("place", ["header", "body"])
def test_oauth2_one_token_for_many(stack, log, vnfm, place):
    credentials = oauth2(stack, vnfm, client_auth=place, scope="lcm")
    start(stack, policy(vnfm, {**HEAL, "credentials": "vnfm", "vnf_instance_id": "${vnfc_id}"}),
          credentials=credentials)
    for n in range(6):
        log.write(vnfc=f"dns-{n}")
    log.await_row("verifying", 6, seconds=40)
    assert len(vnfm.done()) == 6 and len(vnfm.token_calls) == 1, vnfm.token_calls
    assert vnfm.token_calls[0]["form"]["scope"] == "lcm"
    assert ("client_secret" in vnfm.token_calls[0]["form"]) == (place == "body")
    secrets_kept(stack, log, "s3cret-of-hale", *vnfm.tokens)


def test_oauth2_renewed_when_old_and_when_refused(stack, log, vnfm):
    vnfm.life, vnfm.looks = 1, 3
    start(stack, policy(vnfm, {**HEAL, "credentials": "vnfm"}), credentials=oauth2(stack, vnfm))
    vnfm.hold = True
    log.write()
    wait_for(lambda: len(vnfm.tokens) >= 2, 20, "a token before the old one ends")
    assert metric(stack, "hale_actuator_tokens_refused_total") == 0
    vnfm.life = 3600
    wait_for(lambda: len(vnfm.tokens) >= 3, 20, "a token that lives longer")
    with vnfm.lock:
        vnfm.tokens.clear()  # revoked
    wait_for(lambda: vnfm.tokens, 20, "another token")
    vnfm.hold = False
    carried_out(log, vnfm)
    assert metric(stack, "hale_actuator_tokens_refused_total") >= 1


def test_oauth2_wrong_secret(stack, log, vnfm):
    credentials = oauth2(stack, vnfm)
    secret(stack, "wrong-secret")
    start(stack, policy(vnfm, {**HEAL, "credentials": "vnfm"}), credentials=credentials)
    log.write()
    assert "token endpoint of vnfm refused our credentials with 401" in failed(log)
    assert not vnfm.ops and len(vnfm.token_calls) == 1
    secrets_kept(stack, log, "wrong-secret")


def test_user_and_password(stack, log, vnfm):
    vnfm.user = ("hale", "p:w d")
    start(stack, policy(vnfm, {**HEAL, "credentials": "vnfm"}), credentials={
        "vnfm": {"type": "basic", "username": "hale", "password_file": secret(stack, "p:w d")}})
    log.write()
    carried_out(log, vnfm)
    secrets_kept(stack, log, "p:w d")


def test_certificate(stack, log, tmp_path):
    ca = Authority(tmp_path / "ca")
    ours = ca.issue("hale", usage="clientAuth")
    with Sol("vnflcm", certificate=ca.issue("vnfm"), client_ca=ca.cert) as sol:
        start(stack, policy(sol, {**HEAL, "credentials": "vnfm"}), credentials={
            "vnfm": {"type": "tls", "cert_file": ours[0], "key_file": ours[1], "ca_file": ca.cert}})
        log.write()
        carried_out(log, sol)


@pytest.mark.parametrize("kind", ["oauth2", "basic"])
def test_no_secret_goes_where_a_pattern_leads_here(stack, log, vnfm, kind):
    """*.localhost is the operator's word; that a name below it is this machine, others have chosen."""
    credentials = oauth2(stack, vnfm) if kind == "oauth2" else {"vnfm": {
        "type": "basic", "username": "hale", "password_file": secret(stack, "pw")}}
    step = {**HEAL, "credentials": "vnfm", "url": vnfm.url.replace("127.0.0.1", "${vnfc_id}.localhost")}
    start(stack, policy(vnfm, step), credentials=credentials, allow=["*.localhost"])
    log.write()
    assert failed(log)
    assert not vnfm.ops


# --- mistakes ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("credentials,words", [
    ({"type": "oauth2", "client_id": "x"}, "missing key 'token_url'"),
    ({"type": "oauth2", "client_id": "x", "token_url": "http://h/t"}, "client_secret_file is needed"),
    ({"type": "oauth2", "client_id": "x", "token_url": "h/t", "cert_file": "@"}, "token_url must be"),
    ({"type": "basic", "username": "x", "password_file": "/nowhere"}, "password_file"),
    ({"type": "basic", "username": "x", "password_file": "@", "scope": "y"}, "belongs to type oauth2"),
    ({"type": "tls"}, "missing key 'cert_file'"),
    ({"type": "ouath2"}, "did you mean 'oauth2'")])
def test_wrong_credentials(stack, vnfm, credentials, words):
    path = secret(stack, "x")
    credentials = {k: path if v == "@" else v for k, v in credentials.items()}
    assert words in check(stack, [policy(vnfm, HEAL)], {"vnfm": credentials})


def test_policy_names_unknown_credentials(stack, vnfm):
    text = check(stack, [policy(vnfm, {**HEAL, "credentials": "vnfn"})],
                 {"vnfm": {"type": "basic", "username": "x", "password_file": secret(stack, "x")}})
    assert "has no 'vnfn', did you mean 'vnfm'?" in text


@pytest.mark.parametrize("api,step,words", [
    ("vnflcm", {"operation": "scale_to_level"}, "instantiation_level_id or scale_info"),
    ("vnflcm", {"operation": "operate"}, "missing key 'change_state_to'"),
    ("vnflcm", {"operation": "operate", "change_state_to": "STARTED", "stop_type": "FORCEFUL"}, "belong to STOPPED"),
    ("vnflcm", {"operation": "heal", "change_state_to": "STARTED"}, "does not belong to operation heal"),
    ("vnflcm", {"operation": "heal", "on_failed_temp": "retri"}, "did you mean 'retry'"),
    ("vnflcm", {"operation": "heal", "via": "alert"}, "heal with vnfc_instance_id"),
    ("vnflcm", {"operation": "heal", "via": "notification"}, "server_id, alarm_id, fault_id and fault_type"),
    ("vnflcm", {"operation": "heal", "server_id": "x"}, "belongs to via: notification"),
    ("vnflcm", {"operation": "heal", "token_file": "t", "credentials": "c"}, "one of them"),
    ("vnflcm", {"operation": "heal", "url": None}, "needs url"),
    ("nslcm", {"operation": "heal"}, "needs heal_vnf or heal_ns"),
    ("nslcm", {"operation": "heal", "scale_ns": {"aspect_id": "a"}}, "takes heal_vnf or heal_ns"),
    ("nslcm", {"operation": "heal", "heal_ns": {"degree": "HEAL_QOS"}, "dialect": "osm"}, "VNFs only"),
    ("nslcm", {"operation": "scale", "scale_vnf": {"vnf_instance_id": "v", "type": "SCALE_IN"}}, "by steps: aspect_id"),
    ("nslcm", {"operation": "scale", "scale_ns": {"instantiation_level_id": "a", "scale_info": {"b": 1}}},
     "instantiation_level_id or scale_info")])
def test_wrong_steps(stack, api, step, words):
    with Sol(api) as sol:
        instance = {"vnf_instance_id": "v"} if api == "vnflcm" else {"ns_instance_id": "n"}
        assert words in check(stack, [policy(sol, {**instance, **step})], {})
