import { verifiedTokenOf, type Authenticator, type VerifiedToken } from '@nestack/kernel/auth';
import type { Tokens } from '@nestack/keystone/domain';
import { tokenBody } from './views';

/** Keystone's own token filter: its tables decide, anew for each request. */
export class LocalAuthenticator implements Authenticator {
  constructor(private readonly tokens: Tokens) {}

  async authenticate(token: string, serviceToken: string | null): Promise<VerifiedToken> {
    if (serviceToken === null) return this.check(token, false);
    const { roles } = (await this.check(serviceToken, false)).actor;
    return { ...(await this.check(token, roles.includes('service'))), serviceRoles: roles };
  }

  private async check(token: string, allowExpired: boolean): Promise<VerifiedToken> {
    return verifiedTokenOf(tokenBody(await this.tokens.validate(token, { allowExpired }), null));
  }
}
