#!shebang
return rule {}