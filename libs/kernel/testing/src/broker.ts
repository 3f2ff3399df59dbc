/**
 * The broker for one test file: its worker's own virtual host, so that the queues of files that run at the same time do not
 * meet. Files that follow one another in a worker share it: they use host names of their own.
 */
export function testBrokerUrl(): string {
  const url = process.env['NESTACK_TEST_AMQP_URL'];
  if (url === undefined)
    throw new Error('NESTACK_TEST_AMQP_URL is not set: integration tests run through npm run jest');
  if (process.env['NESTACK_TEST_AMQP_VHOSTS'] === undefined) return url;
  const parsed = new URL(url);
  parsed.pathname = `/${process.env['NESTACK_TEST_AMQP_VHOSTS']}-${process.env['JEST_WORKER_ID'] ?? '1'}`;
  return parsed.toString();
}
