import { Inject, Injectable } from '@nestjs/common';
import type { TransactionRunner } from '@nestack/kernel/context';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  GlanceError,
  listImageTasks,
  listTasks,
  SCHEMA_DOCUMENTS,
  showCache,
  showImportInfo,
  showMetadefSchema,
  showSchema,
  showStores,
  showTask,
  showUsage,
} from '@nestack/glance/contract';
import { IMPORT_METHODS, Images, type TaskRepository } from '@nestack/glance/domain';
import { taskView } from './views';

/** Injection tokens of what the app gives to this controller. */
export const TASKS = Symbol('TaskRepository');
export const TRANSACTIONS = Symbol('TransactionRunner');

/** Schemas, tasks, and what the service says of itself. */
@Injectable()
export class InfoController {
  constructor(
    @Inject(Images) private readonly images: Images,
    @Inject(TASKS) private readonly tasks: TaskRepository,
    @Inject(TRANSACTIONS) private readonly db: TransactionRunner,
  ) {}

  @Handles(listImageTasks)
  async imageTasks(request: ApiRequest) {
    const image = await this.images.show(request.ctx, request.params['image_id'] ?? '');
    const tasks = await this.db.read('task.of-image', (tx) => this.tasks.list(tx, { imageId: image.id }));
    return { tasks: tasks.map(taskView) };
  }

  @Handles(listTasks)
  async list() {
    const tasks = await this.db.read('task.list', (tx) => this.tasks.list(tx, {}));
    return { tasks: tasks.map(taskView), first: '/v2/tasks', schema: '/v2/schemas/tasks' };
  }

  @Handles(showTask)
  async show(request: ApiRequest) {
    const id = request.params['task_id'] ?? '';
    const task = await this.db.read('task.show', (tx) => this.tasks.find(tx, id));
    if (task === null) throw GlanceError.TaskNotFound({ task_id: id });
    return taskView(task);
  }

  @Handles(showImportInfo)
  async importInfo() {
    return {
      'import-methods': { description: 'Import methods available.', type: 'array', value: [...IMPORT_METHODS] },
    };
  }

  @Handles(showStores)
  async stores(): Promise<never> {
    throw GlanceError.StoresDisabled();
  }

  @Handles(showUsage)
  async usage() {
    // Upstream's answer when limits are not kept in keystone.
    return { usage: {} };
  }

  @Handles(showCache)
  async cache(): Promise<never> {
    throw GlanceError.CacheDisabled();
  }

  @Handles(showSchema)
  async schema(request: ApiRequest) {
    return schemaOf(request.params['name'] ?? '');
  }

  @Handles(showMetadefSchema)
  async metadefSchema(request: ApiRequest) {
    return schemaOf(`metadefs/${request.params['name'] ?? ''}`);
  }
}

function schemaOf(name: string): Record<string, unknown> {
  const document = Object.hasOwn(SCHEMA_DOCUMENTS, name) ? SCHEMA_DOCUMENTS[name] : undefined;
  if (document === undefined) throw GlanceError.SchemaNotFound({ name });
  return document;
}
