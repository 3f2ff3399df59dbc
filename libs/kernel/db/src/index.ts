export * from './surface';
// Implemented in this library (signatures are fixed):
//   openDatabase(config: DatabaseConfig, log: Logger): Database                       TypeORM DataSource on pg, lazily connected
//   sql<Row>(tx: Tx, text: string, params?: readonly unknown[]): Promise<Row[]>       parametrised only
//   sqlOne<Row>(tx, text, params?): Promise<Row | null>
//   execute(tx, text, params?): Promise<number>                                       affected rows
//   managerOf(tx): EntityManager                                                      TypeORM, where entities pay
//   afterCommit(tx, fn: () => void): void                                             doorbells: runs only if the transaction commits
//   isUniqueViolation(error, constraint?): boolean
//   keyset helpers for marker/limit/sort
