/** Operations that can be slowed down or made to fail. */
export const FAKE_OPERATIONS = [
  'spawn',
  'destroy',
  'power_on',
  'power_off',
  'reboot',
  'suspend',
  'resume',
  'rescue',
  'unrescue',
  'rebuild',
  'prep_resize',
  'resize',
  'finish_resize',
  'revert_resize',
  'snapshot',
  'attach_volume',
  'detach_volume',
  'extend_volume',
  'attach_interface',
  'detach_interface',
] as const;
export type FakeOperation = (typeof FAKE_OPERATIONS)[number];
