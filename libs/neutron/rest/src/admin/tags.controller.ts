import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { NeutronError, TAGGED, tagOperationsOf, tagParent, type TaggedCollection } from '@nestack/neutron/contract';
import { Tags, checkedTag, tagsOf } from '@nestack/neutron/domain';

type Verb = keyof (typeof tagOperationsOf)[TaggedCollection];

/** Marks a method as the handler of one tag operation of every collection that has tags. */
function HandlesTags(verb: Verb): MethodDecorator {
  return (target, key, descriptor) => {
    const method = descriptor.value as unknown as (
      this: TagsController,
      request: ApiRequest,
      collection: TaggedCollection,
    ) => Promise<unknown>;
    for (const collection of TAGGED) {
      const name = `${String(key)}:${collection}`;
      Object.defineProperty(target, name, {
        configurable: true,
        value: function handle(this: TagsController, request: ApiRequest) {
          return method.call(this, request, collection);
        },
      });
      const own = Object.getOwnPropertyDescriptor(target, name);
      if (own !== undefined) Handles(tagOperationsOf[collection][verb])(target, name, own);
    }
  };
}

@Injectable()
export class TagsController {
  constructor(@Inject(Tags) private readonly tags: Tags) {}

  private id(request: ApiRequest, collection: TaggedCollection): string {
    return request.params[tagParent(collection)] ?? '';
  }

  private tag(request: ApiRequest): string {
    return checkedTag(request.params['tag'] ?? '');
  }

  @HandlesTags('list')
  async list(request: ApiRequest, collection: TaggedCollection) {
    return { tags: await this.tags.list(request.ctx, collection, this.id(request, collection)) };
  }

  @HandlesTags('replace')
  async replace(request: ApiRequest, collection: TaggedCollection) {
    const tags = tagsOf(request.body);
    await this.tags.change(request.ctx, collection, this.id(request, collection), () => tags);
    return { tags };
  }

  @HandlesTags('add')
  async add(request: ApiRequest, collection: TaggedCollection) {
    const tags = tagsOf(request.body);
    await this.tags.change(request.ctx, collection, this.id(request, collection), (known) => [...known, ...tags]);
    return { tags };
  }

  @HandlesTags('clear')
  async clear(request: ApiRequest, collection: TaggedCollection): Promise<null> {
    await this.tags.change(request.ctx, collection, this.id(request, collection), () => []);
    return null;
  }

  @HandlesTags('check')
  async check(request: ApiRequest, collection: TaggedCollection): Promise<null> {
    await this.tags.check(request.ctx, collection, this.id(request, collection), this.tag(request));
    return null;
  }

  @HandlesTags('put')
  async put(request: ApiRequest, collection: TaggedCollection): Promise<null> {
    const tag = this.tag(request);
    await this.tags.change(request.ctx, collection, this.id(request, collection), (known) => [...known, tag]);
    return null;
  }

  @HandlesTags('remove')
  async remove(request: ApiRequest, collection: TaggedCollection): Promise<null> {
    const tag = this.tag(request);
    await this.tags.change(request.ctx, collection, this.id(request, collection), (known) => {
      if (!known.includes(tag)) throw NeutronError.TagNotFound({ tag });
      return known.filter((one) => one !== tag);
    });
    return null;
  }
}
