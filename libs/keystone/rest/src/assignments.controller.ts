import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { KeystoneError, listRoleAssignments } from '@nestack/keystone/contract';
import { Assignments, Projects, type AssignmentQuery } from '@nestack/keystone/domain';
import { assignmentView } from './assignment-view';
import { Guard } from './guard';
import { flag, listLinks } from './list-query';

/** Role assignments. upstream: keystone/api/role_assignments.py */
@Injectable()
export class AssignmentsController {
  constructor(
    @Inject(Assignments) private readonly assignments: Assignments,
    @Inject(Projects) private readonly projects: Projects,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  @Handles(listRoleAssignments)
  async list(request: ApiRequest) {
    const query = assignmentQueryOf(request.rawQuery);
    const domainId = request.ctx.actor?.domainId ?? null;
    if (query.subtree) {
      const project = query.project === undefined ? null : await this.projects.find(request.ctx, query.project);
      this.guard.enforce(request.ctx, 'list_role_assignments_for_tree', { project });
    } else this.guard.enforce(request.ctx, 'list_role_assignments', { domainId });
    const names = flag(request.rawQuery, 'include_names');
    let shown = await this.assignments.list(request.ctx, query);
    const table = names || domainId !== null ? await this.assignments.names(request.ctx, shown) : null;
    // Callers with a domain's token see what is granted on that domain and its projects.
    if (domainId !== null) {
      shown = shown.filter((one) => one.target_id === domainId || table?.get(one.target_id)?.domain_id === domainId);
    }
    return {
      role_assignments: shown.map((one) => assignmentView(request.baseUrl, one, names ? table : null)),
      links: listLinks(request),
    };
  }
}

/** The filters of a list of assignments; those that exclude each other are 400. */
export function assignmentQueryOf(query: URLSearchParams): AssignmentQuery {
  const get = (name: string) => query.get(name) ?? undefined;
  const inherited = query.has('scope.OS-INHERIT:inherited_to') ? true : undefined;
  const found = {
    user: get('user.id'),
    group: get('group.id'),
    role: get('role.id'),
    project: get('scope.project.id'),
    domain: get('scope.domain.id'),
    system: query.has('scope.system') ? true : undefined,
    inherited,
    effective: flag(query, 'effective'),
    subtree: flag(query, 'include_subtree'),
  };
  const refuse = (reason: string): never => {
    throw KeystoneError.InvalidInput({ reason });
  };
  if (found.user !== undefined && found.group !== undefined) refuse('Specify a user or group, not both');
  if (found.project !== undefined && found.domain !== undefined) refuse('Specify a domain or project, not both');
  if (found.system && (found.project !== undefined || found.domain !== undefined)) {
    refuse('Specify system or project or domain, not both');
  }
  if (found.effective && found.group !== undefined) {
    refuse('Combining effective and group filter will always result in an empty list.');
  }
  if (found.effective && found.domain !== undefined && inherited === true) {
    refuse('Combining effective, domain and inherited filters will always result in an empty list.');
  }
  if (found.subtree && found.project === undefined) {
    refuse('scope.project.id must be specified if include_subtree is also specified');
  }
  return found;
}
