import { newestPython } from './client/installed';
import { ordinaryWeek } from './week/ordinary-week';

ordinaryWeek('newest', newestPython);
