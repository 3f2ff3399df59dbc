import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  addProjectTag,
  checkProjectTag,
  deleteProjectTag,
  deleteProjectTags,
  KeystoneError,
  listProjectTags,
  replaceProjectTags,
} from '@nestack/keystone/contract';
import { Projects, type Project } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { listLinks, param } from './list-query';

const MAX_TAGS = 80;

/** Tags of projects. upstream: keystone/api/projects.py */
@Injectable()
export class ProjectTagsController {
  constructor(
    @Inject(Projects) private readonly projects: Projects,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  @Handles(listProjectTags)
  async list(request: ApiRequest) {
    const { tags } = await this.allowed(request, 'list_project_tags');
    return { tags: [...tags], links: listLinks(request) };
  }

  @Handles(replaceProjectTags)
  async replace(request: RequestOf<typeof replaceProjectTags>) {
    await this.allowed(request, 'update_project_tags');
    return { tags: await this.change(request, () => request.body.tags), links: listLinks(request) };
  }

  @Handles(deleteProjectTags)
  async clear(request: ApiRequest): Promise<null> {
    await this.allowed(request, 'delete_project_tags');
    await this.change(request, () => []);
    return null;
  }

  @Handles(checkProjectTag)
  async check(request: ApiRequest): Promise<null> {
    const { tags } = await this.allowed(request, 'get_project_tag');
    requireTag(tags, param(request, 'tag'));
    return null;
  }

  @Handles(addProjectTag)
  async add(request: ApiRequest) {
    await this.allowed(request, 'create_project_tag');
    const tag = param(request, 'tag');
    if (tag.length > 255 || /[,/]/.test(tag)) {
      throw KeystoneError.InvalidInput({ reason: `Invalid input for field 'tag': '${tag}' is not a tag` });
    }
    await this.change(request, (tags) => {
      if (!tags.includes(tag) && tags.length >= MAX_TAGS)
        throw KeystoneError.InvalidInput({ reason: `Invalid input for field 'tags': more than ${MAX_TAGS} tags` });
      return [...tags, tag];
    });
    const location = `${request.baseUrl}/projects/${param(request, 'project_id')}/tags/${encodeURIComponent(tag)}`;
    return new ApiReply(null, { status: 201, headers: { Location: location } });
  }

  @Handles(deleteProjectTag)
  async remove(request: ApiRequest): Promise<null> {
    await this.allowed(request, 'delete_project_tag');
    const tag = param(request, 'tag');
    await this.change(request, (tags) => {
      requireTag(tags, tag);
      return tags.filter((one) => one !== tag);
    });
    return null;
  }

  private async change(request: ApiRequest, change: (tags: readonly string[]) => readonly string[]): Promise<string[]> {
    return [...(await this.projects.changeTags(request.ctx, param(request, 'project_id'), change))];
  }

  private async allowed(request: ApiRequest, rule: string): Promise<Project> {
    const id = param(request, 'project_id');
    const project = await this.projects.find(request.ctx, id);
    this.guard.enforce(request.ctx, rule, { project });
    if (project === null) throw KeystoneError.ProjectNotFound({ project_id: id });
    return project;
  }
}

function requireTag(tags: readonly string[], tag: string): void {
  if (!tags.includes(tag)) throw KeystoneError.ProjectTagNotFound({ project_tag: tag });
}
