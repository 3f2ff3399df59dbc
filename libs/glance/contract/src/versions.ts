/** Minor versions served. Those that only several stores or the cache brought (2.8, 2.10 to 2.14, 2.16) are left out, as upstream does without them. */
const MINORS = [15, 9, 7, 6, 5, 4, 3, 2, 1, 0] as const;

/** `GET /` and `GET /versions`: every minor version with the same link. */
export function versionsDocument(rootUrl: string): { versions: object[] } {
  return {
    versions: MINORS.map((minor, index) => ({
      id: `v2.${String(minor)}`,
      status: index === 0 ? 'CURRENT' : 'SUPPORTED',
      links: [{ rel: 'self', href: `${rootUrl}/v2/` }],
    })),
  };
}
