"""Who there is, what they may do, and where the services are."""

from . import step

SECRET = "Fuzz-secret-1"
SUBJECT = {"X-Subject-Token": "{subject}"}
CREDENTIAL = {"name": "{unique}", "roles": [{"name": "admin"}], "unrestricted": False}

STEPS = [
    step("createRegion", {"region": {"description": "x"}}),
    step("updateRegion", {"region": {"description": "y"}}),
    step("putRegion", {"region": {"description": "z"}}, region_id="{unique}"),
    step("createService", {"service": {"type": "{unique}", "name": "{unique}", "enabled": True}}),
    step("updateService", {"service": {"description": "x"}}),
    step(
        "createEndpoint",
        {"endpoint": {"service_id": "{service}", "region_id": "{region}", "interface": "admin", "url": "http://127.0.0.1:1/"}},
    ),
    step("updateEndpoint", {"endpoint": {"url": "http://127.0.0.1:2/"}}),
    step("createEndpointGroup", {"endpoint_group": {"name": "{unique}", "filters": {"interface": "admin"}}}),
    step("updateEndpointGroup", {"endpoint_group": {"description": "x"}}),
    step("createDomain", {"domain": {"name": "{unique}", "enabled": True}}),
    step("updateDomain", {"domain": {"enabled": False, "description": "x"}}),
    step("createDomainConfig", {"config": {"ldap": {"url": "ldap://127.0.0.1", "user_tree_dn": "ou=x"}}}),
    step("updateDomainConfig", {"config": {"ldap": {"url": "ldap://127.0.0.2"}}}),
    step("updateDomainConfigGroup", {"config": {"ldap": {"url": "ldap://127.0.0.3"}}}, group="ldap"),
    step("updateDomainConfigOption", {"config": {"url": "ldap://127.0.0.4"}}, group="ldap", option="url"),
    step("showDefaultDomainConfigGroup", group="ldap"),
    step("showDefaultDomainConfigOption", group="ldap", option="url"),
    step("createProject", {"project": {"name": "{unique}", "tags": ["one"], "options": {}}}),
    step("createProject", {"project": {"name": "{unique}", "parent_id": "{project}"}}),
    step("updateProject", {"project": {"description": "x"}}),
    step("replaceProjectTags", {"tags": ["one", "two"]}),
    step("addProjectTag", tag="three"),
    step("createUser", {"user": {"name": "{unique}", "password": SECRET, "default_project_id": "{project}"}}),
    step("updateUser", {"user": {"email": "a@example.org", "options": {"ignore_password_expiry": True}}}),
    step("createGroup", {"group": {"name": "{unique}", "description": "x"}}),
    step("updateGroup", {"group": {"description": "y"}}),
    step("createRole", {"role": {"name": "{unique}"}}),
    step("createRole", {"role": {"name": "{unique}", "options": {"immutable": False}}}),
    step("updateRole", {"role": {"description": "x"}}),
    step("createImpliedRole", prior_role_id="{role}", implied_role_id="{role:1}"),
    step("showImpliedRole", prior_role_id="{role}", implied_role_id="{role:1}"),
    step("checkImpliedRole", prior_role_id="{role}", implied_role_id="{role:1}"),
    step("createCredential", {"credential": {"type": "cert", "blob": "x", "user_id": "{user}", "project_id": "{project}"}}),
    step("updateCredential", {"credential": {"blob": "y"}}),
    step("createEc2Credential", {"tenant_id": "{my_project}"}, user_id="{my_user}"),
    step("createPolicy", {"policy": {"type": "application/json", "blob": "{}"}}),
    step("updatePolicy", {"policy": {"blob": "{\"a\": \"\"}"}}),
    step(
        "createRegisteredLimits",
        {"registered_limits": [{"service_id": "{service}", "resource_name": "{unique}", "default_limit": 5}]},
    ),
    step("updateRegisteredLimit", {"registered_limit": {"resource_name": "things"}}),
    step(
        "createLimits",
        {"limits": [{"service_id": "{service}", "project_id": "{project}", "resource_name": "things", "resource_limit": 3}]},
    ),
    step("updateLimit", {"limit": {"resource_limit": 4}}),
    step("createApplicationCredential", {"application_credential": CREDENTIAL}, user_id="{my_user}"),
    step(
        "createApplicationCredential",
        {
            "application_credential": {
                **CREDENTIAL,
                "access_rules": [{"service": "compute", "method": "GET", "path": "/v2.1/{unique}"}],
            }
        },
        user_id="{my_user}",
    ),
    step("listAccessRules", user_id="{my_user}"),
    step("listApplicationCredentials", user_id="{my_user}"),
    step(
        "createTrust",
        {
            "trust": {
                "trustor_user_id": "{my_user}",
                "trustee_user_id": "{user}",
                "project_id": "{my_project}",
                "impersonation": False,
                "roles": [{"name": "admin"}],
            }
        },
    ),
    step("listTrustRoles"),
    step(
        "createToken",
        {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": "{user}", "password": SECRET}}}}},
    ),
    step("validateToken", headers=SUBJECT),
    step("revokeToken", headers=SUBJECT),
    step("changePassword", {"user": {"original_password": SECRET, "password": "Fuzz-secret-2"}}),
]
