/** Patterns of what clients name. upstream: placement/schemas/common.py */
export const RESOURCE_CLASS = '^[A-Z0-9_]+$';
export const CUSTOM_NAME = '^CUSTOM_[A-Z0-9_]+$';
export const UUID_KEY = '^[0-9a-fA-F-]{36}$';
export const GROUP_SUFFIX = '[a-zA-Z0-9_-]{1,64}';
export const GROUP_NUMBER = '[1-9][0-9]*';

const CUSTOM = new RegExp(CUSTOM_NAME);

/** Whether it is a well-formed name of a custom trait or resource class. */
export function isCustomName(name: string): boolean {
  return name.length <= 255 && CUSTOM.test(name);
}

/** Largest amount in an inventory. */
export const MAX_INT = 2_147_483_647;
