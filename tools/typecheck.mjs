/** `node tools/typecheck.mjs FOLDER` checks the types of one library or app (and of what it imports). */
import path from 'node:path';
import ts from 'typescript';
import { root } from './node.mjs';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: typecheck FOLDER');

const { config, error } = ts.readConfigFile(path.join(root, 'tsconfig.base.json'), ts.sys.readFile);
if (error !== undefined) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, '\n'));
const parsed = ts.parseJsonConfigFileContent({ ...config, include: [`${folder}/**/*.ts`] }, ts.sys, root);
const program = ts.createProgram(parsed.fileNames, parsed.options);
const diagnostics = ts.getPreEmitDiagnostics(program);
const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => '\n' };
process.stdout.write(ts.formatDiagnostics(diagnostics, host));
process.exitCode = diagnostics.length > 0 ? 1 : 0;
