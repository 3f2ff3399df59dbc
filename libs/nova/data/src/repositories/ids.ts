/** Whether it can be the id of a row: a UUID in its one spelling, so that it may serve as a key elsewhere. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
