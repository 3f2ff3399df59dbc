export { freePort } from './ports';
export {
  postgresAnswers,
  preparePostgres,
  startPostgres,
  type PostgresOptions,
  type PreparedServer,
  type RunningServer,
} from './postgres';
export { hasRabbitmq, prepareRabbitmq, rabbitmqAnswers, startRabbitmq, type RabbitmqOptions } from './rabbitmq';
export { noteServer, type NotedServer } from './registry';
