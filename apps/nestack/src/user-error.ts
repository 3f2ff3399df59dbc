/** Something the user can put right: shown without a stack trace, with what to do. */
export class UserError extends Error {
  constructor(
    message: string,
    readonly advice: string | null = null,
  ) {
    super(message);
    this.name = 'UserError';
  }
}
