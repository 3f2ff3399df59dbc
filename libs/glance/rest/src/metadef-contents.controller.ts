import { Inject, Injectable } from '@nestjs/common';
import { Handles, parseBoolean, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createMetadefObject,
  createMetadefProperty,
  createMetadefTag,
  createMetadefTags,
  deleteMetadefObject,
  deleteMetadefObjects,
  deleteMetadefProperties,
  deleteMetadefProperty,
  deleteMetadefTag,
  deleteMetadefTags,
  GlanceError,
  listMetadefObjects,
  listMetadefProperties,
  listMetadefTags,
  showMetadefObject,
  showMetadefProperty,
  showMetadefTag,
  updateMetadefObject,
  updateMetadefProperty,
  updateMetadefTag,
  type MetadefNamedProperty,
  type MetadefObjectBody,
} from '@nestack/glance/contract';
import { MetadefContents, NEWEST_FIRST, objectBody, type NewPart } from '@nestack/glance/domain';
import { partQueryOf } from './metadef-query';
import { objectView, propertiesView, propertyView, refuseReadOnly, tagView } from './metadef-views';

const namespaceOf = (request: ApiRequest): string => request.params['namespace_name'] ?? '';
const objectOf = (request: ApiRequest): string => request.params['object_name'] ?? '';
const propertyOf = (request: ApiRequest): string => request.params['property_name'] ?? '';
const tagOf = (request: ApiRequest): string => request.params['tag_name'] ?? '';

/** Objects, properties and tags in namespaces of metadata definitions. */
@Injectable()
export class MetadefContentsController {
  constructor(@Inject(MetadefContents) private readonly contents: MetadefContents) {}

  @Handles(listMetadefObjects)
  async objects(request: ApiRequest) {
    // Upstream takes a page's parameters here and does nothing with them.
    const found = await this.contents.list(request.ctx, namespaceOf(request), 'object', NEWEST_FIRST);
    return {
      objects: found.map((one) => objectView(namespaceOf(request), one)),
      schema: 'v2/schemas/metadefs/objects',
    };
  }

  @Handles(createMetadefObject)
  async createObject(request: RequestOf<typeof createMetadefObject>) {
    const wanted = newObject(request.body);
    return objectView(
      namespaceOf(request),
      await this.contents.add(request.ctx, namespaceOf(request), 'object', wanted),
    );
  }

  @Handles(showMetadefObject)
  async showObject(request: ApiRequest) {
    const found = await this.contents.show(request.ctx, namespaceOf(request), 'object', objectOf(request));
    return objectView(namespaceOf(request), found);
  }

  @Handles(updateMetadefObject)
  async updateObject(request: RequestOf<typeof updateMetadefObject>) {
    const wanted = newObject(request.body);
    const name = namespaceOf(request);
    return objectView(name, await this.contents.update(request.ctx, name, 'object', objectOf(request), wanted));
  }

  @Handles(deleteMetadefObject)
  async removeObject(request: ApiRequest): Promise<null> {
    await this.contents.remove(request.ctx, namespaceOf(request), 'object', objectOf(request));
    return null;
  }

  @Handles(deleteMetadefObjects)
  async removeObjects(request: ApiRequest): Promise<null> {
    await this.contents.removeAll(request.ctx, namespaceOf(request), 'object');
    return null;
  }

  @Handles(listMetadefProperties)
  async properties(request: ApiRequest) {
    const found = await this.contents.list(request.ctx, namespaceOf(request), 'property', NEWEST_FIRST);
    return { properties: propertiesView(found) };
  }

  @Handles(createMetadefProperty)
  async createProperty(request: RequestOf<typeof createMetadefProperty>) {
    const wanted = newProperty(request.body);
    return propertyView(await this.contents.add(request.ctx, namespaceOf(request), 'property', wanted));
  }

  @Handles(showMetadefProperty)
  async showProperty(request: ApiRequest) {
    const type = request.rawQuery.get('resource_type');
    const resourceType = type === '' ? null : type;
    return propertyView(
      await this.contents.show(request.ctx, namespaceOf(request), 'property', propertyOf(request), resourceType),
    );
  }

  @Handles(updateMetadefProperty)
  async updateProperty(request: RequestOf<typeof updateMetadefProperty>) {
    const wanted = newProperty(request.body);
    const [name, property] = [namespaceOf(request), propertyOf(request)];
    return propertyView(await this.contents.update(request.ctx, name, 'property', property, wanted));
  }

  @Handles(deleteMetadefProperty)
  async removeProperty(request: ApiRequest): Promise<null> {
    await this.contents.remove(request.ctx, namespaceOf(request), 'property', propertyOf(request));
    return null;
  }

  @Handles(deleteMetadefProperties)
  async removeProperties(request: ApiRequest): Promise<null> {
    await this.contents.removeAll(request.ctx, namespaceOf(request), 'property');
    return null;
  }

  @Handles(listMetadefTags)
  async tags(request: ApiRequest) {
    const query = partQueryOf(request.rawQuery);
    const found = await this.contents.list(request.ctx, namespaceOf(request), 'tag', query);
    return { tags: found.map(({ name }) => ({ name })) };
  }

  @Handles(createMetadefTags)
  async createTags(request: RequestOf<typeof createMetadefTags>) {
    refuseReadOnly(request.body);
    const append = parseBoolean(request.headers['x-openstack-append'] ?? 'false') === true;
    const names = (request.body.tags ?? []).map((one) => one.name);
    const made = await this.contents.setTags(request.ctx, namespaceOf(request), names, append);
    return { tags: made.map(({ name }) => ({ name })) };
  }

  @Handles(showMetadefTag)
  async showTag(request: ApiRequest) {
    return tagView(await this.contents.show(request.ctx, namespaceOf(request), 'tag', tagOf(request)));
  }

  @Handles(createMetadefTag)
  async createTag(request: ApiRequest) {
    const name = tagOf(request);
    // The name comes in the path, so no schema of a body has looked at it.
    if ([...name].length > 80) throw GlanceError.InvalidInput({ reason: tooLong(name) });
    return tagView(await this.contents.add(request.ctx, namespaceOf(request), 'tag', { name, body: {} }));
  }

  @Handles(updateMetadefTag)
  async updateTag(request: RequestOf<typeof updateMetadefTag>) {
    refuseReadOnly(request.body);
    const wanted: NewPart = { name: request.body.name, body: {} };
    return tagView(await this.contents.update(request.ctx, namespaceOf(request), 'tag', tagOf(request), wanted));
  }

  @Handles(deleteMetadefTag)
  async removeTag(request: ApiRequest): Promise<null> {
    await this.contents.remove(request.ctx, namespaceOf(request), 'tag', tagOf(request));
    return null;
  }

  @Handles(deleteMetadefTags)
  async removeTags(request: ApiRequest): Promise<null> {
    await this.contents.removeAll(request.ctx, namespaceOf(request), 'tag');
    return null;
  }
}

function newObject(body: MetadefObjectBody): NewPart {
  refuseReadOnly(body, ['self', 'schema', 'created_at', 'updated_at']);
  return { name: body.name, body: objectBody(body) };
}

function newProperty(body: MetadefNamedProperty): NewPart {
  refuseReadOnly(body);
  return { name: body.name, body };
}

const tooLong = (name: string): string => `Provided object does not match schema 'tag': '${name}' is too long`;
