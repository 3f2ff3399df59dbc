"""Images with their data, members and tags, and the definitions of metadata."""

from . import step

IMAGE = {"name": "{unique}", "disk_format": "raw", "container_format": "bare", "visibility": "shared"}
SMALL = b"data" * 1024
RAW = {"Content-Type": "application/octet-stream"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}

STEPS = [
    step("createImage", IMAGE),
    step("stageImageFile", SMALL, headers=RAW),
    step("importImage", {"method": {"name": "glance-direct"}}),
    step("createImage", {**IMAGE, "tags": ["one"], "own_property": "x", "min_disk": 1}),
    step("uploadImageFile", SMALL, headers=RAW),
    step("updateImage", [{"op": "replace", "path": "/name", "value": "{unique}"}], headers=PATCH),
    step("updateImage", [{"op": "add", "path": "/further", "value": "x"}], headers=PATCH),
    step("addTag", tag_value="two"),
    step("createMember", {"member": "{my_project}"}),
    step("updateMember", {"status": "accepted"}, member_id="{my_project}"),
    step("deactivateImage"),
    step("reactivateImage"),
    step("showSchema", name="image"),
    step("showMetadefSchema", name="namespace"),
    step("createNamespace", {"namespace": "{unique}", "description": "x", "visibility": "private"}),
    step("updateNamespace", {"namespace": "{namespace}", "description": "y"}),
    step("createMetadefObject", {"name": "{unique}", "properties": {"a": {"title": "A", "type": "string"}}}),
    step("updateMetadefObject", {"name": "{object}", "description": "y"}),
    step("createMetadefProperty", {"name": "{unique}", "title": "P", "type": "integer", "minimum": 1}),
    step("updateMetadefProperty", {"name": "{property}", "title": "Q", "type": "integer"}),
    step("createResourceTypeAssociation", {"name": "OS::Glance::Image", "prefix": "hw_"}),
    step("createMetadefTags", {"tags": [{"name": "one"}, {"name": "two"}]}),
    step("createMetadefTag", tag_name="three"),
    step("updateMetadefTag", {"name": "four"}, tag_name="three"),
]
