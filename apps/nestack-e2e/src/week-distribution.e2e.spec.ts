import { distributionPython } from './client/installed';
import { ordinaryWeek } from './week/ordinary-week';

ordinaryWeek('distribution', async () => distributionPython());
