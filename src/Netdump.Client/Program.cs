using Netdump.Client.Commands;

return RootProgram.Run(args);
