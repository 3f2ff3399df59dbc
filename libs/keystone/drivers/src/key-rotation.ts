import { currentKid, type TokenSigner } from '@nestack/kernel/auth';

/** Age of a key by its name, which begins with the moment it was made (`20260102030405123-…`). Milliseconds. */
export function keyAge(kid: string, now: Date): number {
  const [, date, time, ms] = /^(\d{8})(\d{6})(\d{3})-/.exec(kid) ?? [];
  if (date === undefined || time === undefined || ms === undefined) return 0;
  const text = `${date.replace(/(....)(..)(..)/, '$1-$2-$3')}T${time.replace(/(..)(..)(..)/, '$1:$2:$3')}.${ms}Z`;
  return now.getTime() - Date.parse(text);
}

/** Makes a new signing key when the newest is older than that (milliseconds); its name, or null. */
export async function rotateIfOld(signer: TokenSigner, maxAgeMs: number, now: Date): Promise<string | null> {
  const kid = await currentKid(signer.privateDirectory);
  return kid !== null && keyAge(kid, now) > maxAgeMs ? signer.rotate() : null;
}
