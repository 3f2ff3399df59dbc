"""Providers with inventories, what they are and what is used of them."""

from . import step

INVENTORIES = {"VCPU": {"total": 8}, "MEMORY_MB": {"total": 4096}}
LIST_FORM = {"allocations": [{"resource_provider": {"uuid": "{resource_provider}"}, "resources": {"VCPU": 1}}]}
OWNERS = {"project_id": "{my_project}", "user_id": "{my_user}"}
MAP_FORM = {"allocations": {"{resource_provider}": {"resources": {"VCPU": 1}}}, **OWNERS, "consumer_generation": None}

STEPS = [
    step("createResourceProvider", {"name": "{unique}"}),
    step("updateResourceProvider", {"name": "{unique}"}),
    step("createResourceClass", {"name": "CUSTOM_{UNIQUE}"}),
    step("renameResourceClass", {"name": "CUSTOM_{UNIQUE}"}),
    step("ensureResourceClass", name="CUSTOM_{UNIQUE}"),
    step("ensureTrait", name="CUSTOM_{UNIQUE}"),
    step("updateInventories", {"resource_provider_generation": 0, "inventories": INVENTORIES}),
    step("createInventory", {"resource_class": "DISK_GB", "total": 10}),
    step("updateInventory", {"resource_provider_generation": 2, "total": 20}, resource_class="DISK_GB"),
    step("updateProviderAggregates", ["{uuid}"], until="1.18"),
    step("updateProviderAggregates", {"resource_provider_generation": 3, "aggregates": ["{uuid}"]}, since="1.19"),
    step("updateProviderTraits", {"resource_provider_generation": 3, "traits": ["{trait}"]}, until="1.18"),
    step("updateProviderTraits", {"resource_provider_generation": 4, "traits": ["{trait}"]}, since="1.19"),
    step("updateAllocations", LIST_FORM, consumer_uuid="{uuid}", until="1.7"),
    step("updateAllocations", {**LIST_FORM, **OWNERS}, consumer_uuid="{uuid}", since="1.8", until="1.11"),
    step(
        "updateAllocations",
        {key: value for key, value in MAP_FORM.items() if key != "consumer_generation"},
        consumer_uuid="{uuid}",
        since="1.12",
        until="1.27",
    ),
    step("updateAllocations", MAP_FORM, consumer_uuid="{uuid}", since="1.28", until="1.37"),
    step("updateAllocations", {**MAP_FORM, "consumer_type": "INSTANCE"}, consumer_uuid="{uuid}", since="1.38"),
    step("manageAllocations", {"{uuid}": {key: value for key, value in MAP_FORM.items() if key != "consumer_generation"}}, until="1.27"),
    step("manageAllocations", {"{uuid}": MAP_FORM}, since="1.28", until="1.37"),
    step("manageAllocations", {"{uuid}": {**MAP_FORM, "consumer_type": "INSTANCE"}}, since="1.38"),
    # One that nothing is used of, for the removals.
    step("createResourceProvider", {"name": "{unique}"}),
    step("updateInventories", {"resource_provider_generation": 0, "inventories": INVENTORIES}),
    step("updateProviderTraits", {"resource_provider_generation": 1, "traits": ["{trait}"]}),
    step(
        "reshapeProviders",
        {
            "inventories": {"{resource_provider:1}": {"resource_provider_generation": 2, "inventories": INVENTORIES}},
            "allocations": {},
        },
    ),
    step("listAllocationCandidates", query={"resources": "VCPU:1"}),
    step("listUsages", query={"project_id": "{my_project}"}),
    step("listUsages", query={"project_id": "{my_project}", "consumer_type": "all"}, since="1.38"),
]
