export * from './surface';
export { openDatabase } from './database';
export { Outbox, seen, type OutboxMessage, type OutboxOptions, type OutboxPublisher } from './outbox';
export { isConnectionFailure, isUniqueViolation } from './pg-errors';
export { afterCommit, execute, executeSoon, managerOf, sql, sqlOne, sqlSoon } from './transaction';
