import { timeEach } from '../measure';
import { below, type Scenario } from '../scenario';

export const tokenIssue: Scenario = async (bench) => {
  const runs = bench.scaled(20);
  return { name: 'token issue', runs, ...(await timeEach(runs, 2, bench.pids, () => bench.rest.login())) };
};

export const tokenValidate: Scenario = async (bench) => {
  const runs = bench.scaled(200);
  const url = `${bench.keystone}/auth/tokens`;
  const headers = { 'x-subject-token': bench.rest.token };
  const timing = await timeEach(runs, 10, bench.pids, () => bench.rest.call('GET', url, { headers }));
  return { name: 'token validate', runs, ...timing, ...below(timing.medianMs, 5) };
};
