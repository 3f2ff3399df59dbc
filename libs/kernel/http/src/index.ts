export * from './operation';
export * from './surface';
// Also exported here once implemented: Handles(operation), paginate helpers (links next/previous), parseMarkerLimit, openApiOf(api), registerApi(...).
