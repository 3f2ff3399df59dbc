import { describe, expect, it } from '@jest/globals';
import { serverStatus, statesOf } from './states';

describe('the states of a status', () => {
  it.each([
    ['ACTIVE', ['active'], null],
    ['active', ['active'], null],
    ['REBUILD', ['active', 'error', 'stopped'], ['rebuild_spawning', 'rebuilding']],
    ['REBOOT', ['active', 'stopped'], ['reboot_pending', 'reboot_started', 'rebooting']],
    ['REVERT_RESIZE', ['resized'], ['resize_reverting']],
    ['SHELVED_OFFLOADED', ['shelved_offloaded'], null],
    ['DELETED', ['deleted'], null],
    ['NONSENSE', [], null],
  ])('%s: %j %j', (status, vmStates, tasks) => {
    const found = statesOf([status]);
    expect([[...found.vm_states].sort(), found.task_states === null ? null : [...found.task_states].sort()]).toEqual([
      vmStates,
      tasks,
    ]);
    for (const state of found.vm_states)
      for (const task of found.task_states ?? [null]) expect(serverStatus(state, task)).toBeDefined();
  });

  it('count tasks only when all statuses tell of one', () => {
    expect(statesOf(['REBUILD', 'ERROR'])).toMatchObject({ task_states: null });
    expect([...statesOf(['RESIZE', 'REVERT_RESIZE']).vm_states].sort()).toContain('resized');
    expect(statesOf(['RESIZE', 'REVERT_RESIZE']).task_states).toEqual(
      expect.arrayContaining(['resize_prep', 'resize_reverting']),
    );
  });
});
