"""Networks, what hangs on them, and who may use them."""

from . import step

TAGGED = ("networks", "subnets", "ports", "routers", "floatingips", "subnetpools", "security-groups")


def tags(collection):
    """The operations of the tags of one kind of resource."""
    name = "".join(part.capitalize() for part in collection.split("-"))
    return [
        step(f"replace{name}Tags", {"tags": ["one", "two"]}),
        step(f"add{name}Tags", {"tags": ["three"]}),
        step(f"put{name}Tag", tag="four"),
    ]


STEPS = [
    step("createNetwork", {"network": {"name": "{unique}", "admin_state_up": True}}),
    step("updateNetwork", {"network": {"description": "x", "mtu": 1400}}),
    step("createAddressScope", {"address_scope": {"name": "{unique}", "ip_version": 4}}),
    step("updateAddressScope", {"address_scope": {"name": "{unique}"}}),
    step("createSubnetPool", {"subnetpool": {"name": "{unique}", "prefixes": ["172.29.0.0/16"], "default_prefixlen": 24}}),
    step("updateSubnetPool", {"subnetpool": {"description": "x"}}),
    step("addSubnetPoolPrefixes", {"prefixes": ["172.30.0.0/16"]}),
    step("removeSubnetPoolPrefixes", {"prefixes": ["172.30.0.0/16"]}),
    step("createSubnet", {"subnet": {"network_id": "{network}", "ip_version": 4, "subnetpool_id": "{subnetpool}"}}),
    step("createSubnet", {"subnet": {"network_id": "{network}", "ip_version": 4, "cidr": "10.190.0.0/24"}}),
    step("updateSubnet", {"subnet": {"dns_nameservers": ["10.190.0.2"], "host_routes": []}}),
    step("createSecurityGroup", {"security_group": {"name": "{unique}", "description": "x"}}),
    step("updateSecurityGroup", {"security_group": {"description": "y"}}),
    step(
        "createSecurityGroupRule",
        {
            "security_group_rule": {
                "security_group_id": "{security_group}",
                "direction": "ingress",
                "protocol": "tcp",
                "port_range_min": 22,
                "port_range_max": 23,
            }
        },
    ),
    step("createPort", {"port": {"network_id": "{network}", "security_groups": ["{security_group}"]}}),
    step("createPort", {"port": {"network_id": "{network}", "binding:host_id": "fuzz-host", "device_owner": "compute:nova"}}),
    step("createPortBinding", {"binding": {"host": "{unique}", "vnic_type": "normal"}}),
    step("createPort", {"port": {"network_id": "{network}", "name": "{unique}"}}),
    step("updatePort", {"port": {"name": "{unique}", "allowed_address_pairs": [{"ip_address": "10.190.0.77"}]}}),
    step("createRouter", {"router": {"name": "{unique}"}}),
    step("updateRouter", {"router": {"external_gateway_info": {"network_id": "{public_network}"}}}),
    step("addRouterInterface", {"subnet_id": "{subnet}"}),
    step("addExtraRoutes", {"router": {"routes": [{"destination": "10.191.0.0/24", "nexthop": "10.190.0.9"}]}}),
    step("removeExtraRoutes", {"router": {"routes": [{"destination": "10.191.0.0/24", "nexthop": "10.190.0.9"}]}}),
    step("createFloatingIp", {"floatingip": {"floating_network_id": "{public_network}"}}),
    step("updateFloatingIp", {"floatingip": {"port_id": "{port}"}}),
    step("updateFloatingIp", {"floatingip": {"port_id": None}}),
    step("removeRouterInterface", {"subnet_id": "{subnet}"}),
    step(
        "createRbacPolicy",
        {
            "rbac_policy": {
                "object_type": "network",
                "object_id": "{network}",
                "action": "access_as_shared",
                "target_tenant": "{unique}",
            }
        },
    ),
    step("updateRbacPolicy", {"rbac_policy": {"target_tenant": "{unique}"}}),
    step("deleteQuota", project_id="{my_project}"),
    step("updateQuota", {"quota": {"network": 90, "port": 400, "subnet": 90}}, project_id="{my_project}"),
    step("showDefaultQuota", project_id="{my_project}"),
    step("showQuotaDetails", project_id="{my_project}"),
    *[one for collection in TAGGED for one in tags(collection)],
]
