/**
 * Starts one private PostgreSQL and one RabbitMQ for all integration tests of a run and names them to the tests in
 * NESTACK_TEST_PG_URL and NESTACK_TEST_AMQP_URL. Servers named there beforehand are used instead.
 */
import { importLibrary } from '../import-library.mjs';

export default async function setup() {
  const { startTestInfra } = await importLibrary('kernel/testing');
  const infrastructure = await startTestInfra();
  process.env.NESTACK_TEST_PG_URL = infrastructure.pgUrl;
  process.env.NESTACK_TEST_AMQP_URL = infrastructure.amqpUrl;
  if (infrastructure.workerVhosts) process.env.NESTACK_TEST_AMQP_VHOSTS = 'worker';
  globalThis.nestackTestInfrastructure = infrastructure;
}
