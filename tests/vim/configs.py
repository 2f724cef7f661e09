# SPDX-License-Identifier: Apache-2.0
"""The configuration files of a Cloud (cloud.py): {path below etc/: text}."""

FILTERS = """
[filter:auth]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
[filter:limit]
paste.filter_factory = oslo_middleware:RequestBodySizeLimiter.factory
[filter:proxy]
paste.filter_factory = oslo_middleware.http_proxy_to_wsgi:HTTPProxyToWSGI.factory
[filter:reqid]
paste.filter_factory = {reqid}
"""
REQID = "oslo_middleware:RequestId.factory"
PATIENT = {"rpc_response_timeout": 180}  # the machine may be busy with other things


def ini(**sections):
    """Sections in order; a value None leaves the key out."""
    out = []
    for name, keys in sections.items():
        out.append(f"[{name}]")
        out += [f"{k} = {v}" for k, v in keys.items() if v is not None]
    return "\n".join(out) + "\n"


def login(c, user, middleware=False):
    keys = {"auth_type": "password", "auth_url": c.url("keystone"), "username": user,
            "password": c.secret, "user_domain_name": "Default", "project_name": "service",
            "project_domain_name": "Default"}
    if middleware:
        # patient: a busy machine may keep Keystone waiting for long
        keys.update(www_authenticate_uri=c.url("keystone"), service_token_roles_required="true",
                    http_connect_timeout=120, http_request_max_retries=10)
        if user == "nova":
            keys["token_cache_time"] = -1  # a revoked token is refused at once
    else:
        keys.update(region_name="RegionOne", connect_retries=10, status_code_retries=5)
    return keys


def common(c, name, db=True):
    out = {"oslo_concurrency": {"lock_path": c.state / "lock"},
           "oslo_messaging_notifications": {"driver": "noop"},
           "oslo_policy": {"enforce_scope": "false"}}
    if db:
        out["database"] = {"connection": c.db(name), "max_pool_size": 10, "max_overflow": 50,
                           "max_retries": 60}
    if name != "keystone":
        out["keystone_authtoken"] = login(c, name, middleware=True)
    return out


def keystone(c):
    return {"keystone/keystone.conf": ini(
        DEFAULT={"use_stderr": "true"},
        token={"provider": "fernet", "expiration": c.token_seconds},
        fernet_tokens={"key_repository": c.state / "keystone/fernet"},
        credential={"key_repository": c.state / "keystone/credential"},
        identity={"password_hash_rounds": 4}, cache={"enabled": "true", "backend": "dogpile.cache.memory"}, **common(c, "keystone"))}


def placement(c):
    return {"placement/placement.conf": ini(
        placement_database={"connection": c.db("placement")}, api={"auth_strategy": "keystone"},
        **common(c, "placement", db=False))}


def glance(c):
    root = c.state / "glance"
    return {
        "glance/glance-api.conf": ini(
            DEFAULT={"bind_host": c.ip, "bind_port": c.port["glance"], "workers": 0,
                     "enabled_backends": "disk:file", "enabled_import_methods": "[]",
                     "transport_url": c.mq, "node_staging_uri": f"file://{root}/staging"},
            disk={"filesystem_store_datadir": root / "images"},
            os_glance_staging_store={"filesystem_store_datadir": root / "staging"},
            os_glance_tasks_store={"filesystem_store_datadir": root / "tasks"},
            glance_store={"default_backend": "disk"},
            paste_deploy={"config_file": c.etc / "glance/paste.ini"}, **common(c, "glance")),
        "glance/paste.ini": """[pipeline:glance-api]
pipeline = proxy versions auth context root
[composite:root]
paste.composite_factory = glance.api:root_app_factory
/: list
/v2: v2
[app:list]
paste.app_factory = glance.api.versions:create_resource
[app:v2]
paste.app_factory = glance.api.v2.router:API.factory
[filter:versions]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
""" + FILTERS.format(reqid=REQID).replace("auth_token:filter_factory",
                                          "auth_token:filter_factory\ndelay_auth_decision = true")}


def neutron(c):
    return {
        "neutron/neutron.conf": ini(
            DEFAULT={"bind_host": c.ip, "bind_port": c.port["neutron"], "api_workers": 0,
                     "rpc_workers": 0, "rpc_state_report_workers": 0, "auth_strategy": "keystone",
                     "api_paste_config": c.etc / "neutron/paste.ini", "core_plugin": "ml2",
                     "service_plugins": "", "dhcp_agent_notification": "false",
                     "transport_url": c.mq, **PATIENT, "state_path": c.state / "neutron",
                     "notify_nova_on_port_status_changes": "true",
                     "notify_nova_on_port_data_changes": "true"},
            ml2={"type_drivers": "vxlan,local", "tenant_network_types": "vxlan",
                 "mechanism_drivers": "hale_vim",
                 "extension_drivers": "port_security,data_plane_status"},
            ml2_type_vxlan={"vni_ranges": "1000:9999"},
            securitygroup={"enable_security_group": "true"},
            quotas={"default_quota": -1, "quota_network": -1, "quota_port": -1, "quota_subnet": -1},
            nova=login(c, "nova"), placement=login(c, "placement"), **common(c, "neutron")),
        "neutron/paste.ini": """[composite:neutron]
use = egg:Paste#urlmap
/: versions
/v2.0: v2
[composite:v2]
use = call:neutron.auth:pipeline_factory
keystone = proxy reqid catch auth context ext app
noauth = reqid catch ext app
[composite:versions]
use = call:neutron.auth:pipeline_factory
keystone = proxy list
noauth = proxy list
[app:list]
paste.app_factory = neutron.pecan_wsgi.app:versions_factory
[app:app]
paste.app_factory = neutron.api.v2.router:APIRouter.factory
[filter:catch]
paste.filter_factory = oslo_middleware:CatchErrors.factory
[filter:context]
paste.filter_factory = neutron.auth:NeutronKeystoneContext.factory
[filter:ext]
paste.filter_factory = neutron.api.extensions:plugin_aware_extension_middleware_factory
""" + FILTERS.format(reqid=REQID)}


def nova(c):
    def conf(host, state, db):
        main = {"my_ip": c.ip, "transport_url": c.mq, **PATIENT, "state_path": state,
                "enabled_apis": "osapi_compute", "osapi_compute_listen": c.ip,
                "osapi_compute_listen_port": c.port["nova"], "osapi_compute_workers": 1,
                "compute_driver": "fake.FakeDriver", "report_interval": 5, "service_down_time": 60,
                "reserved_host_memory_mb": 0, "host": host}
        more = common(c, "nova", db=db)
        if db:  # nova-compute refuses to start where it could reach a data base
            more["api_database"] = {"connection": c.db("nova_api")}
        return ini(DEFAULT=main, api={"auth_strategy": "keystone"},
                   wsgi={"api_paste_config": c.etc / "nova/paste.ini"},
                   conductor={"workers": 1},
                   scheduler={"workers": 1, "discover_hosts_in_cells_interval": 2},
                   filter_scheduler={"host_subset_size": 1}, vnc={"enabled": "false"},
                   cache={"enabled": "true", "backend": "dogpile.cache.memory"},
                   quota={"instances": -1, "cores": -1, "ram": -1},
                   glance={"api_servers": c.url("glance"), "num_retries": 10},
                   neutron={**login(c, "neutron"), "http_retries": 10},
                   placement=login(c, "placement"), **more)
    out = {"nova/nova.conf": conf("control", c.state / "nova", True), "nova/paste.ini": """
[composite:osapi_compute]
use = call:nova.api.openstack.urlmap:urlmap_factory
/: list
/v2.1: list21
/v2.1/+: v21
[composite:v21]
use = call:nova.api.auth:pipeline_factory_v21
keystone = proxy reqid fault limit auth context app
noauth2 = reqid fault app
[pipeline:list]
pipeline = fault listapp
[pipeline:list21]
pipeline = fault list21app
[app:listapp]
paste.app_factory = nova.api.openstack.compute.versions:Versions.factory
[app:list21app]
paste.app_factory = nova.api.openstack.compute.versions:VersionsV2.factory
[app:app]
paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory
[filter:fault]
paste.filter_factory = nova.api.openstack:FaultWrapper.factory
[filter:context]
paste.filter_factory = nova.api.auth:NovaKeystoneContext.factory
""" + FILTERS.format(reqid="nova.api.compute_req_id:ComputeReqIdMiddleware.factory")}
    for i in range(1, c.computes + 1):
        out[f"nova/compute-{i}.conf"] = conf(f"compute-{i}", c.state / f"nova/compute-{i}", False)
    return out


def heat(c):
    return {
        "heat/heat.conf": ini(
            DEFAULT={"transport_url": c.mq, **PATIENT, "region_name_for_services": "RegionOne",
                     "stack_user_domain_name": "heat", "stack_domain_admin": "heat_domain_admin",
                     "stack_domain_admin_password": c.secret, "deferred_auth_method": "trusts",
                     "num_engine_workers": 1,
                     "auth_encryption_key": c.secret[:32].ljust(32, "0"),
                     "environment_dir": c.state / "heat/environment.d",
                     "template_dir": c.state / "heat/templates", "max_stacks_per_tenant": -1},
            heat_api={"bind_host": c.ip, "bind_port": c.port["heat"], "workers": 1},
            paste_deploy={"api_paste_config": c.etc / "heat/paste.ini"},
            clients_keystone={"auth_uri": c.url("keystone")},
            trustee={k: v for k, v in login(c, "heat").items() if not k.startswith(("project", "region", "connect", "status"))},
            **common(c, "heat")),
        "heat/paste.ini": """[pipeline:heat-api]
pipeline = reqid fault proxy versions authurl auth context v1
[app:v1]
paste.app_factory = heat.common.wsgi:app_factory
heat.app_factory = heat.api.openstack.v1:API
[filter:versions]
paste.filter_factory = heat.common.wsgi:filter_factory
heat.filter_factory = heat.api.openstack:version_negotiation_filter
[filter:fault]
paste.filter_factory = heat.common.wsgi:filter_factory
heat.filter_factory = heat.api.openstack:faultwrap_filter
[filter:context]
paste.filter_factory = heat.common.context:ContextMiddleware_filter_factory
[filter:authurl]
paste.filter_factory = heat.common.auth_url:filter_factory
""" + FILTERS.format(reqid=REQID)}


def masakari(c):
    return {
        "masakari/masakari.conf": ini(
            DEFAULT={"host": "control", "transport_url": c.mq, **PATIENT, "state_path": c.state / "masakari",
                     "masakari_api_listen": c.ip, "masakari_api_listen_port": c.port["masakari"],
                     "masakari_api_workers": 1, "os_privileged_user_name": "masakari",
                     "os_privileged_user_password": c.secret, "os_privileged_user_tenant": "service",
                     "os_privileged_user_auth_url": c.url("keystone"), "os_region_name": "RegionOne",
                     # The first is a pause after the service of a failed host was disabled, and the time in
                     # which that of a failed process must be; what fails is tried once more.
                     "wait_period_after_service_update": 8, "process_unfinished_notifications_interval": 5,
                     # its flows give up by themselves: after the tests would
                     "wait_period_after_evacuation": 900,
                     "wait_period_after_power_off": 900, "wait_period_after_power_on": 900},
            wsgi={"api_paste_config": c.etc / "masakari/paste.ini"},
            host_failure={"evacuate_all_instances": "true"},
            taskflow={"connection": f"file:///?path={c.state}/masakari/flows"},  # its SQL store lacks a file
            **common(c, "masakari")),
        "masakari/paste.ini": """[composite:masakari_api]
use = call:masakari.api.urlmap:urlmap_factory
/: list
/v1: v1
[composite:v1]
use = call:masakari.api.auth:pipeline_factory_v1
keystone = proxy reqid fault limit auth context app
noauth2 = reqid fault app
[pipeline:list]
pipeline = fault listapp
[app:listapp]
paste.app_factory = masakari.api.openstack.ha.versions:Versions.factory
[app:app]
paste.app_factory = masakari.api.openstack.ha:APIRouterV1.factory
[filter:fault]
paste.filter_factory = masakari.api.openstack:FaultWrapper.factory
[filter:context]
paste.filter_factory = masakari.api.auth:MasakariKeystoneContext.factory
""" + FILTERS.format(reqid=REQID)}


def mistral(c):
    return {"mistral/mistral.conf": ini(
        DEFAULT={"transport_url": c.mq, **PATIENT, "js_implementation": "py_mini_racer"},
        api={"host": c.ip, "port": c.port["mistral"], "api_workers": 1},
        engine={"host": "control"}, executor={"host": "control"}, pecan={"auth_enable": "true"},
        cron_trigger={"enabled": "false"}, **common(c, "mistral"))}
